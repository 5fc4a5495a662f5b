//! Manifests that are none, and what stands in their way.
