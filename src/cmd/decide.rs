//! `expacti allow`, `expacti deny`.

use expacti_protocol::command::{CommandView, Grant, ItemKind};
use expacti_protocol::exit;
use expacti_protocol::http::DecisionBody;
use expacti_protocol::input::{InputGrant, InputRef};
use expacti_signing::{Limits, SigningKey};

use crate::broker::Link;
use crate::cli::{AllowArgs, DecideArgs};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::{print, segment, units};

/// Allows one command, with a grant where one is asked for.
pub(crate) async fn allow(config: &Config, args: AllowArgs, json: bool) -> Outcome {
    let grant = match args.grant {
        Some(text) => {
            let grant =
                Grant { seconds: units::seconds(&text)?, bytes: units::bytes(&args.grant_bytes)? };
            if !grant.is_valid() {
                return Err(Failure::usage("a grant is 1s to 1h and 1 to 16M bytes"));
            }
            Some(grant)
        }
        None => None,
    };
    let input_grant = match args.input_grant {
        Some(text) => {
            let grant = InputGrant {
                seconds: units::seconds(&text)?,
                bytes: units::bytes(&args.input_bytes)?,
            };
            if !grant.is_valid() {
                return Err(Failure::usage(
                    "a grant of standard input is 1s to 24h and 1 to 1024G bytes",
                ));
            }
            Some(grant)
        }
        None => None,
    };
    let decision = Decision::Allow { grant, input: args.input, input_grant, trust: args.trust };
    let key = crate::signing::key(config, args.key)?;
    decide(config, args.decide, decision, key.as_ref(), json).await
}

/// Denies one command.
pub(crate) async fn deny(config: &Config, args: DecideArgs, json: bool) -> Outcome {
    decide(config, args, Decision::Deny, None, json).await
}

/// What was decided.
#[derive(Debug, Clone)]
enum Decision {
    Allow {
        /// What a grant lets pass, where one was asked for.
        grant: Option<Grant>,
        /// The digest of the standard input that it covers, or its beginning.
        input: Option<String>,
        /// What may flow after that.
        input_grant: Option<InputGrant>,
        /// What only looks there goes on being trusted.
        trust: bool,
    },
    Deny,
}

/// The standard input that is meant, which must be what came with the command.
fn covered(shown: &CommandView, digest: Option<&str>) -> Result<Option<InputRef>, Failure> {
    let came = shown.input.as_deref().and_then(|input| input.came.as_ref());
    let came = came.filter(|_| shown.kind == ItemKind::Exec).map(|came| came.given);
    match (digest, came) {
        (None, None) => Ok(None),
        (None, Some(came)) => {
            print::note(&format!(
                "its standard input ({} bytes, sha256 {}) is not covered and will be asked about next; \
                 --input {} covers it",
                came.bytes,
                came.sha256,
                came.sha256.to_string().chars().take(12).collect::<String>()
            ));
            Ok(None)
        }
        (Some(digest), Some(came))
            if digest.len() >= 8
                && came.sha256.to_string().starts_with(&digest.to_ascii_lowercase()) =>
        {
            Ok(Some(came))
        }
        (Some(digest), came) => Err(Failure::new(
            exit::REFUSED,
            match came {
                Some(came) => format!(
                    "the standard input that came with {} is {} bytes with sha256 {}, not {digest}: look at \
                 it again with `expacti pending`",
                    shown.id, came.bytes, came.sha256
                ),
                None => format!("no standard input came with {}", shown.id),
            },
        )),
    }
}

/// What is about to be signed, for whoever touches the key.
fn signs(shown: &CommandView) -> String {
    let session = &shown.session;
    let text = expacti_engine::make_visible(shown.text.command.as_bytes()).text;
    format!(
        "signs {} of {} as {}@{} ({}:{}): {text}",
        shown.kind.as_str(),
        print::safe(&session.agent),
        print::safe(&session.user),
        print::safe(&session.target),
        print::safe(&session.host),
        session.port
    )
}

/// Decides on one command; the decision is bound to the bytes the broker shows now.
async fn decide(
    config: &Config,
    args: DecideArgs,
    decision: Decision,
    key: Option<&SigningKey>,
    json: bool,
) -> Outcome {
    let link = Link::running(config)?;
    let id = segment::id(&args.id)?;
    let shown: CommandView = link.client.get(&format!("/v1/commands/{id}")).await?;
    let comment = args.comment.join(" ");
    let (allow, grant, input, input_grant, trust) = match &decision {
        Decision::Allow { grant, input, input_grant, trust } => {
            (true, *grant, covered(&shown, input.as_deref())?, *input_grant, *trust)
        }
        Decision::Deny => (false, None, None, None, false),
    };
    let signed = match key.filter(|_| allow) {
        Some(key) => {
            print::note(&signs(&shown));
            if key.needs_touch() {
                print::note("touch your key");
            }
            let limits = Limits { grant, input, input_grant };
            let signed = expacti_signing::allow(key, &limits, &shown).await;
            Some(signed.map_err(|why| Failure::new(exit::REFUSED, format!("not signed: {why}")))?)
        }
        None => None,
    };
    let body = DecisionBody {
        allow,
        comment: (!comment.trim().is_empty()).then_some(comment),
        sha256: Some(shown.sha256),
        grant,
        input,
        input_grant,
        trust,
        statement: signed.as_ref().map(|signed| signed.statement.clone()),
        signature: signed.map(|signed| signed.signature),
        pin: None,
    };
    let view: CommandView =
        link.client.post(&format!("/v1/commands/{}/decision", shown.id), &body).await?;
    if json {
        print::json(&view)?;
    } else {
        let word = match (&decision, view.approvals_missing) {
            (Decision::Deny, _) => "denied".to_owned(),
            (Decision::Allow { .. }, 0) => "allowed".to_owned(),
            (Decision::Allow { .. }, n) if view.may_decide.is_empty() => {
                format!("approved ({n} more needed)")
            }
            (Decision::Allow { .. }, n) => {
                format!("approved ({n} more needed: {})", print::safe(&view.may_decide.join(", ")))
            }
        };
        let text = view.masked.as_ref().unwrap_or(&view.text.command);
        let caution = view.session.caution();
        let caution = caution.map(|c| format!("  {}", print::warning(&print::safe(&c))));
        let caution = caution.unwrap_or_default();
        print::line(&format!("{word} {}  {}{caution}", view.id, print::safe(text)))?;
        if let (true, false, Some(why)) = (allow, trust, &shown.taints) {
            print::note(&format!(
                "what only looks there is asked about from now on ({}): expacti taint clear {}/{}",
                print::safe(why),
                print::safe(&view.session.target),
                print::safe(&view.session.user)
            ));
        }
        match (grant, view.grant, view.approvals_missing) {
            (_, Some(grant), _) => print::note(&format!(
                "keys to the program pass unreviewed for {} s or {} bytes; `expacti kill {}` ends it",
                grant.seconds, grant.bytes, view.session_id
            )),
            (Some(_), None, 0) => {
                print::note("no grant: another approver gave none");
            }
            _ => {}
        }
    }
    Ok(0)
}
