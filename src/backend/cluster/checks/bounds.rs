//! Budgets and quotas: whether their controllers have counted, and what they refuse.

use serde_json::Value;

use super::Verdict;
use crate::backend::cluster::answer::shorten;
use crate::backend::cluster::follow::View;
use crate::model::quantity::Quantity;

/// A budget is well once its controller has counted the pods and, when all are ready, lets one go.
/// `Err` while that can't be said.
pub(super) fn budget(budget: &Value) -> Result<Verdict, String> {
    let number = |pointer: &str| budget.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    if number("/status/observedGeneration") < number("/metadata/generation") {
        return Err("its controller has not looked at it".to_owned());
    }
    let conditions = budget.pointer("/status/conditions").and_then(Value::as_array);
    if let Some(failed) = conditions.into_iter().flatten().find(|it| it["reason"] == "SyncFailed") {
        let message = failed.get("message").and_then(Value::as_str).unwrap_or_default();
        return Ok(Verdict::Ill(format!("its controller can't count its pods: {}", shorten(message))));
    }
    let (expected, healthy) = (number("/status/expectedPods"), number("/status/currentHealthy"));
    let allowed = number("/status/disruptionsAllowed");
    Ok(match (expected, allowed) {
        (0, _) => Verdict::Ill("it selects no pods".to_owned()),
        (_, 1..) => Verdict::Well(format!("{healthy} of {expected} pods are healthy, {allowed} may go")),
        _ if healthy < expected => {
            Verdict::Unclear(format!("{healthy} of {expected} pods are healthy: none may go until more are"))
        }
        _ => Verdict::Ill(format!("no pod may go although all {expected} are healthy: a drain would hang")),
    })
}

/// Of what more is in use than a quota allows, as its controller has last counted, where a change of the
/// quota leaves the bound as it is: that is not of its making.
pub(super) fn over(changed: &Value) -> Vec<String> {
    let quantity = |map: &str, key: &str| changed.pointer(map)?.get(key).and_then(Quantity::from_value);
    let hard = changed.pointer("/status/hard").and_then(Value::as_object).into_iter().flatten();
    let is_over = |key: &str, bound: &Value| {
        let used = quantity("/status/used", key).zip(Quantity::from_value(bound));
        used.is_some_and(|(used, bound)| used > bound)
            && changed.pointer("/spec/hard").and_then(|hard| hard.get(key)) == Some(bound)
    };
    hard.filter(|(key, bound)| is_over(key, bound)).map(|(key, _)| key.clone()).collect()
}

/// A quota is well once its controller has counted everything it bounds, within the bounds; what was
/// `over` them before stays its own matter.
pub(super) fn quota(quota: &Value, over: &[String]) -> Result<Verdict, String> {
    let map = |pointer: &str| quota.pointer(pointer).and_then(Value::as_object);
    let bounds = map("/spec/hard").ok_or("it bounds nothing".to_owned())?;
    if map("/status/hard") != Some(bounds) {
        return Err("its controller has not looked at it".to_owned());
    }
    let mut full = Vec::new();
    for (key, hard) in bounds {
        let used = map("/status/used").and_then(|used| used.get(key)).and_then(Quantity::from_value);
        let (Some(used), Some(hard)) = (used, Quantity::from_value(hard)) else {
            return Err(format!("{key} is not counted"));
        };
        if used > hard && !over.contains(key) {
            full.push(key.as_str());
        }
    }
    Ok(match (full.is_empty(), over.is_empty()) {
        (true, true) => Verdict::Well("everything it bounds is within its bounds".to_owned()),
        (true, false) => {
            Verdict::Well(format!("its bounds hold, but for those that did not before: {}", over.join(", ")))
        }
        (false, _) => Verdict::Ill(format!("more is in use than it allows: {}", full.join(", "))),
    })
}

/// The first new event about a pod that this quota refused.
pub(super) fn refused(name: &str, before: &View, now: &View) -> Option<String> {
    let text =
        |event: &Value, pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let count = |event: &Value| event.get("count").and_then(Value::as_u64).unwrap_or(1);
    now.objects().find_map(|event| {
        let old = before.objects().find(|old| text(old, "/metadata/uid") == text(event, "/metadata/uid"));
        let message = text(event, "/message");
        let ours = message.contains(&format!("exceeded quota: {name},"))
            || message.contains(&format!("failed quota: {name}:"));
        let new = old.is_none_or(|old| count(old) < count(event));
        (ours && new).then(|| format!("it refuses pods: {}", shorten(&message)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_budget_is_judged_once_it_was_counted() {
        let seen = |status: Value| budget(&json!({"metadata": {"generation": 2}, "status": status}));
        assert!(seen(json!({"observedGeneration": 1})).is_err());
        let counted = |expected: i64, healthy: i64, allowed: i64| {
            seen(json!({"observedGeneration": 2, "expectedPods": expected, "currentHealthy": healthy,
                "disruptionsAllowed": allowed}))
            .unwrap()
        };
        assert!(matches!(counted(3, 3, 1), Verdict::Well(_)));
        assert!(matches!(counted(3, 2, 0), Verdict::Unclear(_)));
        assert!(matches!(counted(3, 3, 0), Verdict::Ill(_)));
        assert!(matches!(counted(0, 0, 0), Verdict::Ill(_)));
    }

    #[test]
    fn a_quota_is_judged_once_everything_was_counted() {
        let seen = |used: Value| {
            quota(
                &json!({"spec": {"hard": {"pods": "2", "requests.cpu": "1"}},
                "status": {"hard": {"pods": "2", "requests.cpu": "1"}, "used": used}}),
                &[],
            )
        };
        assert!(seen(json!({"pods": "1"})).is_err());
        assert!(matches!(seen(json!({"pods": "1", "requests.cpu": "1000m"})), Ok(Verdict::Well(_))));
        assert!(matches!(seen(json!({"pods": "3", "requests.cpu": "1"})), Ok(Verdict::Ill(_))));
    }

    #[test]
    fn what_was_over_a_quota_before_its_change_is_not_held_against_it() {
        let changed = |pods: &str| {
            json!({"spec": {"hard": {"pods": pods, "services": "0"}},
                "status": {"hard": {"pods": "1", "services": "0"}, "used": {"pods": "2", "services": "1"}}})
        };
        assert_eq!(over(&changed("3")), ["services"], "the change is about pods");
        assert_eq!(over(&changed("1")), ["pods", "services"]);
        assert_eq!(over(&json!({"spec": {"hard": {"pods": "1"}}})), [""; 0], "a new one was never counted");
        let counted = |pods: &str| {
            json!({"spec": {"hard": {"pods": "3", "services": "0"}},
                "status": {"hard": {"pods": "3", "services": "0"}, "used": {"pods": pods, "services": "1"}}})
        };
        let before = over(&changed("3"));
        assert!(matches!(quota(&counted("3"), &before), Ok(Verdict::Well(_))));
        assert!(matches!(quota(&counted("4"), &before), Ok(Verdict::Ill(_))));
    }

    #[test]
    fn only_new_refusals_of_this_quota_count() {
        let events = |count: u64, message: &str| {
            let event = json!({"metadata": {"uid": "e"}, "count": count, "message": message});
            View::Objects([("e".to_owned(), event)].into())
        };
        let ours = "pods \"x\" is forbidden: exceeded quota: q, requested: pods=1";
        assert!(refused("q", &View::Unread, &events(1, ours)).is_some());
        assert!(refused("q", &events(1, ours), &events(2, ours)).is_some());
        assert!(refused("q", &events(2, ours), &events(2, ours)).is_none());
        assert!(refused("other", &View::Unread, &events(1, ours)).is_none());
    }
}
