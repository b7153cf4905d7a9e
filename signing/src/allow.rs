//! Has a reviewer's key sign an allow: of what the gate has stated, after a look whether that is what was
//! shown.

use expacti_engine::{Context, InputUse, RiskTables};
use expacti_protocol::command::CommandView;
use expacti_protocol::digest::Digest;
use expacti_protocol::input::InputRef;
use expacti_protocol::signed::SignedText;

use crate::check::{DECISION_NAMESPACE, Limits};
use crate::signer::SigningKey;
use crate::statement::{Allowed, Decision, Item};

/// What the key has signed. Nothing is signed if the broker shows something else than the gate holds.
///
/// # Errors
/// With why not.
pub async fn allow(
    key: &SigningKey,
    limits: &Limits,
    shown: &CommandView,
) -> Result<SignedText, String> {
    let item = shown.item.as_ref().ok_or(
        "the gate has made no statement of it to sign: it is of an earlier version, or the broker left \
         that out",
    )?;
    let item = Item::parse(&item.statement).map_err(|error| error.to_string())?;
    item.is_shown_by(shown).map_err(|error| format!("{error}: do not trust this broker"))?;
    limits.input.map_or(Ok(()), |input| input_is_shown(input, shown))?;
    let allowed = Allowed {
        grant: limits.grant,
        input: limits.input,
        input_grant: limits.input_grant,
        ..Allowed::new(item)
    };
    let statement = Decision::allowing(vec![allowed]).text().map_err(|error| error.to_string())?;
    let signature = key
        .sign(DECISION_NAMESPACE, statement.as_bytes())
        .await
        .map_err(|error| error.to_string())?;
    Ok(SignedText { statement, signature })
}

/// Whether the standard input that goes with it is what was shown. What is no text is only described, and
/// the description is the broker's: that is signed only where nothing runs it.
fn input_is_shown(input: InputRef, shown: &CommandView) -> Result<(), String> {
    let came = shown.input.as_ref().and_then(|input| input.came.as_ref());
    let came = came.filter(|came| came.given == input).ok_or(
        "it has other standard input than what is to be allowed with it: look at it again",
    )?;
    let is_bytes = |text: &String| {
        text.len() as u64 == input.bytes && Digest::of(text.as_bytes()) == input.sha256
    };
    match &came.text {
        Some(text) if is_bytes(text) => Ok(()),
        Some(_) if came.preview.is_empty() => {
            Err("the standard input is not what is shown: do not trust this broker".to_owned())
        }
        _ if is_stored(shown) => Ok(()),
        _ => Err(
            "its standard input cannot be shown as it is, and the command may run it: it is not \
                  signed; allow the command without it, and it is asked about by itself"
                .to_owned(),
        ),
    }
}

/// Whether a command only unpacks its standard input or writes it into a file, as far as it is understood.
fn is_stored(shown: &CommandView) -> bool {
    let Ok(bytes) = shown.text.bytes() else { return false };
    let context = Context {
        cwd: Some(shown.cwd.clone()),
        pty: shown.pty.is_some(),
        shell: shown.shell.map(|shell| shell.as_str().to_owned()),
        ..Context::default()
    };
    let tables = RiskTables::builtin();
    let report = tables.input_use(&bytes, &context, &tables.assess(&bytes, &context));
    matches!(report.r#use, InputUse::Archive | InputUse::File)
}
