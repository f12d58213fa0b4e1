//! The history: what is recorded of the actions of appliances, portals and operators.

mod operators;
