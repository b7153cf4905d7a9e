//! How sure it is that a pattern is about a command, however that is written.

use super::literal::literal_likeness;
use super::spellings;
use super::suspect::Suspect;
use super::words::{Likeness, program_likeness};
use crate::rules::GlobPattern;
use crate::subject::Heard;
use crate::tables::RiskTables;

/// How sure it is that the pattern is about the command, however that is written.
pub(crate) fn likeness(pattern: &GlobPattern, suspect: &Suspect, tables: &RiskTables) -> Likeness {
    let own = literal_likeness(pattern, suspect, tables);
    if own >= Likeness::Yes {
        return own;
    }
    let others = spellings::others(suspect, tables).iter();
    let others = others.map(|other| spellings::likeness(pattern, other, tables)).max();
    let own = others.map_or(own, |it| it.max(own));
    if own > Likeness::No {
        return own;
    }
    match assumed(pattern, suspect) {
        Some(assumed) if likeness(pattern, &assumed, tables) >= Likeness::Yes => Likeness::Near,
        _ => own,
    }
}

/// A command whose program is not known, as one of the program that is meant: its words may be other ways
/// to write those of the pattern. Without any other word it would be every program, and with a word that
/// is not known either every command.
fn assumed(pattern: &GlobPattern, suspect: &Suspect) -> Option<Suspect> {
    let wanted = pattern.words().first().filter(|_| pattern.words().len() > 1)?;
    let first = suspect.subject.words.first().filter(|first| !first.known)?;
    let literal = !wanted.contains(['*', '?']);
    if !literal || program_likeness(wanted, first) == Likeness::No {
        return None;
    }
    let mut subject = suspect.subject.clone();
    *subject.words.first_mut()? = Heard { text: wanted.clone(), known: true };
    Some(Suspect::from(subject))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::risk::commands_of;
    use crate::tables::RiskTables;

    fn of(pattern: &str, line: &str) -> Likeness {
        let pattern = GlobPattern::parse(pattern).unwrap();
        let tables = RiskTables::builtin();
        let suspects = commands_of(line).into_iter().map(Suspect::from);
        suspects.map(|suspect| likeness(&pattern, &suspect, tables)).max().unwrap()
    }

    #[test]
    fn however_it_is_written_it_is_the_same() {
        for (pattern, lines) in [
            (
                "kubectl delete **",
                &[
                    "kubectl delete pod x",
                    "kubectl -n prod delete pod x",
                    "kubectl --namespace=prod delete pod x",
                    "/usr/bin/kubectl delete ns y",
                    "sudo kubectl delete ns y",
                    "sh -c 'kubectl delete ns y'",
                    "kubectl 'delete' x",
                ][..],
            ),
            (
                "rm *",
                &["rm x", "rm -rf X", "rm", "rm -- x", "rm -r -f x y", "\\rm x", "ls; rm -f x"][..],
            ),
            (
                "rm -rf /srv",
                &[
                    "rm -rf /srv",
                    "rm -fr /srv",
                    "rm -r -f /srv",
                    "rm --recursive --force /srv",
                    "rm -rf /srv/",
                    "rm -rf //srv/.",
                    "rm -rf '/srv'",
                    "rm /srv -rf",
                    "rm -rf /tmp/x /srv",
                    "rm -rfv /srv",
                ][..],
            ),
            (
                "rm -r **",
                &["rm -rf x", "rm -fr x", "rm --recursive x", "rm --recurs x", "rm -Rf x"][..],
            ),
        ] {
            for line in lines {
                assert!(
                    of(pattern, line) >= Likeness::Yes,
                    "{pattern}: {line}: {:?}",
                    of(pattern, line)
                );
            }
        }
    }

    #[test]
    fn what_is_not_known_may_be_it() {
        for (pattern, line) in [
            ("kubectl delete **", "kubectl $x pod y"),
            ("kubectl delete **", "kubectl d$(echo e)lete$y pod"),
            ("kubectl delete **", "kube?tl delete pod x"),
            ("kubectl delete **", "$k delete pod x"),
            ("kubectl delete **", "kubectl `echo delete` x"),
            ("rm -rf /srv", "rm -rf $dir"),
            ("rm -rf /srv", "rm -rf /s*"),
            ("rm -rf /srv", "rm $options /srv"),
            ("mytool --wipe", "mytool -w"),
            ("kill -9 **", "$x -KILL 1"),
            ("docker rm **", "$x container rm y"),
            ("apt purge **", "$(echo apt) remove --purge y"),
        ] {
            assert!(of(pattern, line) >= Likeness::Near, "{pattern}: {line}");
        }
    }

    #[test]
    fn what_is_something_else_is_not_it() {
        for (pattern, line) in [
            ("kubectl delete **", "kubectl get pods"),
            ("kubectl delete **", "ls delete"),
            ("kubectl delete **", "echo kubectl delete"),
            ("rm -rf /srv", "rm -rf /tmp/x"),
            ("rm -rf /srv", "rm /srv"),
            ("rm -rf /srv", "ls -rf /srv"),
            ("git push **", "git status"),
            ("git push **", "git log push"),
            ("kubectl delete **", "$x get pods"),
            ("kubectl delete **", "kubectl get $x pods".trim_end_matches("$x pods")),
        ] {
            assert_eq!(of(pattern, line), Likeness::No, "{pattern}: {line}");
        }
    }

    #[test]
    fn only_what_comes_first_and_is_understood_is_certain() {
        for (pattern, line, certain) in [
            ("git status *", "git status", true),
            ("git status *", "git status -s", true),
            ("kubectl delete pod *", "kubectl delete pod x", true),
            ("kubectl delete pod *", "kubectl delete ns prod --cascade pod", false),
            ("kubectl delete pod *", "kubectl delete pod --all", false),
            ("git status *", "git $x", false),
            ("git status *", "git -C /srv status", true),
        ] {
            assert_eq!(
                of(pattern, line) == Likeness::Certain,
                certain,
                "{pattern}: {line}: {:?}",
                of(pattern, line)
            );
        }
    }
}
