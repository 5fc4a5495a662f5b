//! What a fix is: steps, inputs, applicability. Pure.
