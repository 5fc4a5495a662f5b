//! YAML and JSON files: read, locate.
