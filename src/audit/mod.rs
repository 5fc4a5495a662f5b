//! Configuration, waivers, the engine that runs rules, the score. Pure.
