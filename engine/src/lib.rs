//! The decision engine: judges a shell command against risk tables, rules, policies and history.
//! It must never do I/O, read a clock, wait, or panic on any bytes.
//!
//! [`judge_as`] does all of it; a [`Reading`] says besides how an item is shown and what it does with its
//! input. `parse` splits a line into commands; `risk` scores each of them by
//! `tables`, whose TOML files say what a program does (`rm`: `tables/file_deletion.toml`); `rules` may
//! decide without a person, `policy` says who must approve otherwise, and `anomaly` says what is
//! unusual for this agent.

mod anomaly;
mod assessment;
mod category;
mod context;
mod effects;
mod hashed;
mod hidden;
mod item;
mod judge;
mod level;
mod literals;
mod modifier;
mod parse;
mod policy;
mod program;
mod reading;
mod restrict;
mod risk;
mod rules;
mod secrets;
mod subject;
mod tables;
mod taint;
mod transfer;
mod visible;
mod with_input;

pub use anomaly::{Anomaly, Event, History, detect};
pub use assessment::{Assessment, Segment, Term};
pub use category::Category;
pub use context::{Context, TargetName};
pub use effects::{
    Class, CommandReport, Effects, InputReport, InputUse, LineReport, Looking, Touched,
    WrittenFile, means_the_same_everywhere,
};
pub use item::{ItemSyntax, Snapshot};
pub use judge::{Verdict, judge, judge_as};
pub use level::Level;
pub use policy::{
    Policy, PolicyError, PolicyKind, PolicySet, Requirement, Tally, Vote, Voter, missing, tally,
};
pub use reading::Reading;
pub use risk::assess;
pub use rules::{
    Approved, Backtest, Beneath, Caution, Closest, CommandVerdict, Covered, Digested, Effect,
    Hazard, MatchKind, Outcome, Rule, RuleError, RuleSet, RuleVerdict, Scope, StdinCover,
    Suggested, Suggestion, Working, backtest, caution, check_rule, default_rules, looks_pattern,
    missing_rules, options_of_before, suggest, work_pattern,
};
pub use secrets::{InputSecrets, Masked, mask_arguments, mask_secrets};
pub use tables::{RiskTables, TablesError};
pub use taint::Taint;
pub use transfer::{ScpSink, ScpSource, describe_push, describe_transfer, scp_sink, scp_source};
pub use visible::{Hidden, Shown, count_no_text, is_mostly_text, make_visible};
pub use with_input::{GivenInput, input_secrets, judge_input, judge_more_input, judge_with_input};
