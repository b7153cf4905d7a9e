//! The filter of the queue. It must never hide a request without the screen saying so.

use expacti_engine::Level;

use super::item::Item;

/// A parsed filter: every part must match.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
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
        let parts = text.split_whitespace().map(|word| {
            let low = word.to_lowercase();
            match low.split_once(':') {
                Some(("level", name)) if !name.is_empty() => {
                    [Level::Low, Level::Medium, Level::High, Level::Critical]
                        .into_iter()
                        .find(|l| l.as_str().to_lowercase().starts_with(name))
                        .map_or(Part::Word(low.clone()), Part::Level)
                }
                Some(("target", name)) => Part::Target(name.to_owned()),
                Some(("agent", name)) => Part::Agent(name.to_owned()),
                Some(("session", name)) => Part::Session(name.to_owned()),
                _ if low == "anomaly" => Part::Anomaly,
                _ => Part::Word(low),
            }
        });
        Self { parts: parts.collect() }
    }

    /// Whether a request is shown.
    pub(crate) fn matches(&self, item: &Item) -> bool {
        let has = |text: &str, part: &str| text.to_lowercase().contains(part);
        self.parts.iter().all(|part| match part {
            Part::Level(level) => item.level() >= *level,
            Part::Target(name) => has(&item.card.target, name),
            Part::Agent(name) => has(&item.card.agent, name),
            Part::Session(name) => item.view().session_id.as_str().contains(name),
            Part::Anomaly => item.view().anomaly,
            Part::Word(word) => {
                has(&item.headline, word)
                    || has(&item.card.target, word)
                    || has(&item.card.agent, word)
                    || item.id().as_str().contains(word)
            }
        })
    }
}
