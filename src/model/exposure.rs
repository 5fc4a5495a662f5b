//! Entry points and public load balancers.
