//! The objects of findings as kubectl takes them: `deployment.apps/web`, each once.

use super::text::escape;
use crate::model::ObjectRef;

/// One name a line, sorted. What is no object of the API, such as the cluster itself, has none.
pub fn names<'a>(objects: impl IntoIterator<Item = &'a ObjectRef>) -> Vec<String> {
    let mut names: Vec<String> = objects.into_iter().filter_map(name).collect();
    names.sort();
    names.dedup();
    names
}

/// `deployment.apps/web`, or `service/web` in the core group.
pub fn name(object: &ObjectRef) -> Option<String> {
    let (kind, name) = (object.kind.to_lowercase(), &object.name);
    let whole = match object.api_version.split_once('/') {
        Some((group, _)) => format!("{kind}.{group}/{name}"),
        None if object.api_version.is_empty() => return None,
        None => format!("{kind}/{name}"),
    };
    // A manifest may call itself anything; a line stays a line.
    Some(escape(&whole).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_object_has_one_line() {
        let objects = [
            ObjectRef::new("v1", "Service", Some("shop"), "s1"),
            ObjectRef::new("apps/v1", "Deployment", Some("shop"), "web"),
            ObjectRef::new("v1", "Service", Some("other"), "s1"),
            ObjectRef::new("", "Cluster", None, "prod"),
            ObjectRef::new("v1", "ConfigMap", Some("shop"), "a\nb"),
        ];
        assert_eq!(names(&objects), ["configmap/a\\nb", "deployment.apps/web", "service/s1"]);
    }
}
