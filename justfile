# Daily work; `scripts/test` is the whole check.

# Lists the recipes.
default:
    @just --list

# Quick: does it compile without warnings?
check:
    cargo clippy --workspace --all-targets -- -D warnings

# Formats everything.
fmt:
    cargo fmt --all

# Unit tests of one crate, for example `just unit engine`.
unit crate:
    cargo nextest run -p expacti-{{crate}}

# End-to-end tests, all or those whose name contains FILTER.
e2e filter="":
    cargo nextest run -p expacti --test '*' {{filter}}

# The whole check, as CI runs it.
test:
    scripts/test

# Modules that need each other.
circles:
    scripts/circles

# The README's commands in a new minimal Debian; as root, half an hour or more.
fresh:
    scripts/fresh

# Regenerates man pages and completions.
generate:
    scripts/drift --write

# Kills processes at random moments; nothing may run unreleased or twice.
crash rounds="200":
    scripts/crash-rounds {{rounds}}

# Latency of a command that a rule allows, against direct ssh.
bench:
    scripts/bench-exec

# Licences, advisories, sources.
deny:
    cargo deny check

# The product in one terminal.
demo:
    cargo run --release -- demo
