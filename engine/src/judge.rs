//! The whole judgement of one command from one snapshot. It must never allow anything by itself.

use serde::{Deserialize, Serialize};

use crate::{
    Anomaly, Assessment, Context, History, PolicySet, Requirement, RiskTables, RuleSet,
    RuleVerdict, detect,
};

/// Everything a judgement depends on besides the command; swapped as one.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The risk tables.
    pub tables: RiskTables,
    /// The whitelist.
    pub rules: RuleSet,
    /// Who must approve.
    pub policies: PolicySet,
}

/// A judgement with every reason.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verdict {
    /// The score and why.
    pub assessment: Assessment,
    /// What the rules say.
    pub rule: RuleVerdict,
    /// What is unusual.
    pub anomalies: Vec<Anomaly>,
    /// Whose approval is needed.
    pub requirement: Requirement,
}

/// Judges one command.
#[must_use]
pub fn judge(snapshot: &Snapshot, command: &[u8], context: &Context, history: &History) -> Verdict {
    let assessment = snapshot.tables.assess(command, context);
    // The line is read once: the rules that deny look at the commands the scorer found.
    let rule = snapshot.rules.judge_with(command, context, || {
        assessment.segments.iter().map(|segment| segment.argv.clone()).collect()
    });
    let anomalies = detect(history, command, &assessment, context);
    let requirement = snapshot.policies.select_with(context, assessment.level, || {
        assessment.segments.iter().map(|segment| segment.argv.clone()).collect()
    });
    Verdict { assessment, rule, anomalies, requirement }
}
