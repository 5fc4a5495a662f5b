//! One Kubernetes object and all of them: parsed, related, indexed. Pure.
