//! A broker without disk or network, and what must hold of it.

mod changes;
mod covers;
mod input;
mod items;
mod lifecycle;
mod orders;
mod quota;
mod reads;
mod scope;
mod secret_input;
mod shell;
mod taint;
mod world;
