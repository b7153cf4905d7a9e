//! A broker without disk or network, and what must hold of it.

mod changes;
mod items;
mod lifecycle;
mod orders;
mod shell;
mod taint;
mod world;
