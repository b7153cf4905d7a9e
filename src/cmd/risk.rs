//! `expacti risk`.

use std::io::{BufRead as _, BufWriter, Write as _};

use expacti_engine::{Assessment, Context, LineReport, Looking, RiskTables};
use serde::Deserialize;

use crate::cli::RiskArgs;
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::print;

#[derive(Deserialize)]
struct Question {
    command: String,
    target: Option<String>,
    cwd: Option<String>,
}

/// A score with what the line does: `looks` beside it, `effects` in each segment.
fn answer(assessment: &Assessment, report: &LineReport) -> serde_json::Result<serde_json::Value> {
    let mut answer = serde_json::to_value(assessment)?;
    if let Some(segments) = answer.get_mut("segments").and_then(serde_json::Value::as_array_mut) {
        for (json, segment) in segments.iter_mut().zip(&assessment.segments) {
            if let Some(json) = json.as_object_mut() {
                let effects = serde_json::to_value(report.effects_at(segment.span))?;
                json.insert("effects".to_owned(), effects);
            }
        }
    }
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("looks".to_owned(), report.looks.into());
        if let Some(why) = &report.why {
            answer.insert("looks_why".to_owned(), why.clone().into());
        }
    }
    Ok(answer)
}

/// Scores one command, or every line of standard input.
pub(crate) fn run(config: &Config, args: RiskArgs, json: bool) -> Outcome {
    let tables = match config.section("risk") {
        Some(text) => RiskTables::with_overrides(&text)
            .map_err(|e| Failure::usage(format!("the section [risk] of the configuration: {e}")))?,
        None => RiskTables::builtin().clone(),
    };
    let context = |target: Option<String>, cwd: Option<String>| Context {
        target: target.unwrap_or_default(),
        cwd,
        now: expacti_protocol::now_micros(),
        shell: Some(args.shell.clone()),
        ..Context::default()
    };
    let report = |command: &str, context: &Context, assessment: &Assessment| {
        tables.report(command.as_bytes(), context, &Looking::default()).checked(assessment)
    };
    if let Some(command) = args.command.clone() {
        let context = context(args.target.clone(), args.cwd.clone());
        let assessment = tables.assess(command.as_bytes(), &context);
        let report = report(&command, &context, &assessment);
        if json {
            print::json(&answer(&assessment, &report)?)?;
        } else {
            explain(&assessment, &report)?;
        }
        return Ok(0);
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let question: Question = serde_json::from_str(&line).map_err(|e| {
            Failure::failed(format!("line {} of standard input is not a command: {e}", number + 1))
        })?;
        let target = question.target.or_else(|| args.target.clone());
        let cwd = question.cwd.or_else(|| args.cwd.clone());
        let context = context(target, cwd);
        let assessment = tables.assess(question.command.as_bytes(), &context);
        if json {
            let report = report(&question.command, &context, &assessment);
            serde_json::to_writer(&mut out, &answer(&assessment, &report)?)?;
            writeln!(out)?;
        } else {
            writeln!(
                out,
                "{:3} {:8} {}",
                assessment.score,
                assessment.level,
                print::safe(&assessment.command)
            )?;
        }
    }
    out.flush()?;
    Ok(0)
}

fn explain(assessment: &Assessment, report: &LineReport) -> std::io::Result<()> {
    print::line(&format!(
        "{} {}  {}",
        assessment.score,
        print::level(assessment.level),
        print::safe(&assessment.command)
    ))?;
    for term in &assessment.terms {
        let bytes =
            assessment.command.as_bytes().get(term.span[0]..term.span[1]).unwrap_or_default();
        let text = print::safe(&String::from_utf8_lossy(bytes));
        let text: String = text.chars().take(60).collect();
        print::line(&format!(
            "  {:+4}  {:28} {}   {}",
            term.points,
            term.name,
            print::safe(&term.why),
            text
        ))?;
    }
    if assessment.uninspectable {
        print::line(
            "  not all of it could be looked into: treated as at least HIGH, never allowed by a rule",
        )?;
    }
    print::line(&match &report.why {
        None => "  only looks: `expacti rules defaults` lets such commands run".to_owned(),
        Some(why) => format!("  does not only look: {}", print::safe(why)),
    })
}
