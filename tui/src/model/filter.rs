//! The filter of the queue. It must never hide a request without the screen saying so.

use expacti_engine::Level;

use super::item::Item;

/// a parsed filter: every term must match.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    terms: Vec<Term>,
}

#[derive(Debug)]
enum Term {
    Level(Level),
    Target(String),
    Agent(String),
    Session(String),
    Anomaly,
    Word(String),
}

impl Filter {
    /// Reads `level:high target:web agent:bot session:7c1a anomaly word`; levels match upwards.
    pub(crate) fn parse(text: &str) -> Self {
        let terms = text.split_whitespace().map(|word| {
            let low = word.to_lowercase();
            match low.split_once(':') {
                Some(("level", name)) if !name.is_empty() => {
                    [Level::Low, Level::Medium, Level::High, Level::Critical]
                        .into_iter()
                        .find(|l| l.as_str().to_lowercase().starts_with(name))
                        .map_or(Term::Word(low.clone()), Term::Level)
                }
                Some(("target", name)) => Term::Target(name.to_owned()),
                Some(("agent", name)) => Term::Agent(name.to_owned()),
                Some(("session", name)) => Term::Session(name.to_owned()),
                _ if low == "anomaly" => Term::Anomaly,
                _ => Term::Word(low),
            }
        });
        Self { terms: terms.collect() }
    }

    /// Whether a request is shown.
    pub(crate) fn matches(&self, item: &Item) -> bool {
        let has = |text: &str, part: &str| text.to_lowercase().contains(part);
        self.terms.iter().all(|term| match term {
            Term::Level(level) => item.level() >= *level,
            Term::Target(name) => has(&item.card.target, name),
            Term::Agent(name) => has(&item.card.agent, name),
            Term::Session(name) => item.view().session_id.as_str().contains(name),
            Term::Anomaly => item.view().anomaly,
            Term::Word(word) => {
                has(&item.headline, word)
                    || has(&item.card.target, word)
                    || has(&item.card.agent, word)
                    || item.id().as_str().contains(word)
            }
        })
    }
}
