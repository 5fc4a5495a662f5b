//! Whether new pods would be let in, when a pod template is taken back.

use serde_json::Value;

use crate::backend::change::Prepared;
use crate::backend::cluster::connect::Connection;
use crate::backend::cluster::refresh::{self, Wanted};
use crate::model::{Inventory, ObjectRef, admission};

/// Why every pod of the template that comes back would be refused, in one line each: pods that run
/// would end, and none would come. Reads what judges them now; what can't be read proves nothing.
pub async fn refused(connection: &Connection, prepared: &Prepared) -> Vec<String> {
    let object = prepared.write.object();
    let (true, Some(after), Some(namespace)) = (prepared.rolls_out, &prepared.after, object.namespace.as_deref())
    else {
        return Vec::new();
    };
    let mut wanted = Wanted::default();
    wanted.object(&ObjectRef::new("v1", "Namespace", None, namespace));
    for kind in ["LimitRange", "ResourceQuota"] {
        wanted.list_of(&ObjectRef::new("v1", kind, Some(namespace), ""));
    }
    let (inventory, _) = refresh::refresh(connection, Inventory::default(), wanted).await;
    judge(inventory, object, after)
}

fn judge(mut inventory: Inventory, object: &ObjectRef, after: &Value) -> Vec<String> {
    // The server has just answered with it.
    let _ = inventory.add(&object.api_version, &object.kind, after, None);
    let inventory = inventory.finish();
    let Some(workload) = inventory.workloads.get(object.namespace(), &object.kind, &object.name) else {
        return Vec::new();
    };
    if workload.is_idle() {
        return Vec::new();
    }
    let refusals = admission::refusals(&inventory, workload).into_iter().filter(|obstacle| obstacle.refuses);
    refusals.map(|obstacle| format!("its new pods would be refused: {}", obstacle.reason)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_template_comes_back_where_its_pods_are_let_in() {
        let web = ObjectRef::new("apps/v1", "Deployment", Some("shop"), "web");
        let judged = |labels: Value, replicas: u64| {
            let home = json!({
                "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": labels},
            });
            let spec = json!({"containers": [{"name": "web", "image": "web:1"}]});
            let after = json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": "shop", "name": "web"},
                "spec": {
                    "replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
                    "template": {"metadata": {"labels": {"app": "web"}}, "spec": spec},
                },
            });
            let mut inventory = Inventory::default();
            inventory.add("v1", "Namespace", home, None).unwrap();
            judge(inventory, &web, &after)
        };
        let enforce = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        let [line] = judged(enforce.clone(), 1).try_into().unwrap();
        assert!(line.starts_with("its new pods would be refused: Namespace/shop enforces restricted"), "{line}");
        assert!(judged(enforce, 0).is_empty(), "there are none");
        assert!(judged(json!({"pod-security.kubernetes.io/warn": "restricted"}), 1).is_empty());
    }
}
