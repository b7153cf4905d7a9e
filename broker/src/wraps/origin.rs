//! Whether a process is inside a wrap, from what the kernel says of it. Pure: nothing is asked here.

/// Where a process that connected stands. Only one of these may do anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In a user namespace that no wrap has registered, and that is not the broker's.
    Foreign,
    /// It ended, so that its socket may be in anybody's hands.
    Gone,
    /// The kernel does not say which process connected.
    KernelTooOld,
    /// In the broker's own user namespace and outside of every wrap.
    Outside,
    /// The kernel does not let the broker look.
    Unreadable,
    /// Inside a wrap.
    Wrapped,
}

/// Why nothing is known of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// It ended.
    Gone,
    /// The kernel does not say which process connected.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux is asked"))]
    KernelTooOld,
    /// The kernel does not let the broker look.
    Unreadable,
}

impl From<Unknown> for Origin {
    fn from(unknown: Unknown) -> Self {
        match unknown {
            Unknown::Gone => Self::Gone,
            Unknown::KernelTooOld => Self::KernelTooOld,
            Unknown::Unreadable => Self::Unreadable,
        }
    }
}

impl Origin {
    /// Judges a process by its user namespace and that namespace's ancestors (`lineage`, the nearest
    /// first, as far up as the kernel tells). `own` is the broker's namespace, `registered` are those of
    /// the wraps. `below_wrap` is asked last: what the process tree says.
    pub(crate) fn judge<Id: PartialEq>(
        own: Option<&Id>,
        registered: &[Id],
        lineage: Result<&[Id], Unknown>,
        below_wrap: impl FnOnce() -> bool,
    ) -> Self {
        let lineage = match lineage {
            Ok(lineage) => lineage,
            Err(unknown) => return unknown.into(),
        };
        if lineage.iter().any(|id| registered.contains(id)) {
            return Self::Wrapped;
        }
        match (lineage.first(), own) {
            (Some(lives_in), Some(own)) if lives_in == own => {
                if below_wrap() {
                    Self::Wrapped
                } else {
                    Self::Outside
                }
            }
            (Some(_), Some(_)) => Self::Foreign,
            (None, _) | (_, None) => Self::Unreadable,
        }
    }

    /// Why a process that stands there is refused; none for one outside.
    pub(crate) fn refusal(self) -> Option<&'static str> {
        match self {
            Self::Outside => None,
            Self::Foreign => Some(
                "refused: you are in another user namespace than the broker (a toolbox, a container, or \
                 a wrapped program): run this outside of it",
            ),
            Self::Gone => Some(
                "refused: the process that connected has ended, so its connection may be in the hands of \
                 a wrapped program",
            ),
            Self::KernelTooOld => Some(
                "refused: this kernel cannot tell reviewers from wrapped programs; Linux 6.5 or newer is \
                 needed",
            ),
            Self::Unreadable => Some(
                "refused: the system does not let the broker see which process connected, so it may be a \
                 wrapped program",
            ),
            Self::Wrapped => Some(
                "refused: inside a wrap; a program run by expacti wrap cannot review, change or stop \
                 anything: use a terminal outside it",
            ),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The broker's namespace in these tests.
    const OWN: u8 = 1;

    #[test]
    fn a_table_of_processes() {
        let wraps = [5, 6];
        // The lineage, what the process tree says, the verdict.
        let table: &[(&[u8], bool, Origin)] = &[
            (&[1], false, Origin::Outside),
            // The kernel tells more than the broker's own, as for root in the first namespace.
            (&[1, 0], false, Origin::Outside),
            (&[1], true, Origin::Wrapped),
            // In a wrap, and in namespaces made inside one.
            (&[5, 1], false, Origin::Wrapped),
            (&[6, 1, 0], false, Origin::Wrapped),
            (&[9, 8, 5, 1], false, Origin::Wrapped),
            (&[5], false, Origin::Wrapped),
            // The broker itself was started inside a wrap that registered elsewhere.
            (&[1, 5], false, Origin::Wrapped),
            // A toolbox, a container, a wrap whose registration is forgotten.
            (&[7, 1], false, Origin::Foreign),
            (&[7, 1], true, Origin::Foreign),
            (&[8, 7, 1], false, Origin::Foreign),
            // Beside or above the broker: the kernel tells no ancestors.
            (&[7], false, Origin::Foreign),
            (&[0], false, Origin::Foreign),
            (&[], false, Origin::Unreadable),
        ];
        for (lineage, below, expected) in table {
            let origin = Origin::judge(Some(&OWN), &wraps, Ok(lineage), || *below);
            assert_eq!(origin, *expected, "{lineage:?}, below a wrap: {below}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_outside() {
        for unknown in [Unknown::Gone, Unknown::KernelTooOld, Unknown::Unreadable] {
            assert_ne!(Origin::judge(Some(&OWN), &[], Err(unknown), || false), Origin::Outside);
        }
        assert_ne!(Origin::judge(None, &[], Ok(&[OWN]), || false), Origin::Outside);
    }

    #[test]
    fn only_outside_is_not_refused() {
        for origin in [
            Origin::Foreign,
            Origin::Gone,
            Origin::KernelTooOld,
            Origin::Unreadable,
            Origin::Wrapped,
        ] {
            assert!(origin.refusal().unwrap().starts_with("refused: "), "{origin:?}");
        }
        assert_eq!(Origin::Outside.refusal(), None);
    }

    proptest! {
        #[test]
        fn a_lineage_with_a_wrap_in_it_is_never_outside(
            mut lineage in prop::collection::vec(0_u8..8, 0..6),
            registered in prop::collection::vec(0_u8..8, 1..4),
            at in any::<prop::sample::Index>(),
            which in any::<prop::sample::Index>(),
            own in prop::option::of(0_u8..8),
            below in any::<bool>(),
        ) {
            let at = at.index(lineage.len() + 1);
            lineage.insert(at, *which.get(&registered));
            let origin = Origin::judge(own.as_ref(), &registered, Ok(&lineage), || below);
            prop_assert_eq!(origin, Origin::Wrapped);
        }

        #[test]
        fn outside_is_exactly_the_own_namespace(
            lineage in prop::collection::vec(0_u8..8, 0..6),
            registered in prop::collection::vec(0_u8..8, 0..4),
            own in 0_u8..8,
            below in any::<bool>(),
        ) {
            let origin = Origin::judge(Some(&own), &registered, Ok(&lineage), || below);
            let outside = lineage.first() == Some(&own)
                && !below
                && !lineage.iter().any(|id| registered.contains(id));
            prop_assert_eq!(origin == Origin::Outside, outside);
        }
    }
}
