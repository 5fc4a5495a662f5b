//! What a rule says about one object: verdict, severity, evidence. Pure.
