//! The tree of organizations: where an organization may be.

/// The most levels of the tree. An organization at the top has depth 1.
pub const MAX_DEPTH: usize = 8;

/// Why an organization may not be below another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    /// The new parent is the organization itself, or is below it.
    #[error("an organization cannot be below itself")]
    Circle,
    /// The organization, or one below it, would be deeper than [`MAX_DEPTH`].
    #[error("the tree of organizations would have more than {MAX_DEPTH} levels")]
    TooDeep,
}

/// Decides whether an organization may be below a parent.
///
/// `above` is the parent and all organizations above it. `height` is the number of levels of the organization's own tree: 1 if
/// nothing is below it, as with a new one.
///
/// # Errors
/// [`Misplaced`] says why not.
pub fn check_parent<T: AsRef<str>>(org: &str, height: usize, above: &[T]) -> Result<(), Misplaced> {
    if above.iter().any(|id| id.as_ref() == org) {
        return Err(Misplaced::Circle);
    }
    if above.len().saturating_add(height) > MAX_DEPTH {
        return Err(Misplaced::TooDeep);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// An organization, the height of its tree, its new parent and all above that, and whether it may be there.
    type Case = (&'static str, usize, &'static [&'static str], Result<(), Misplaced>);

    #[test]
    fn parent_is_refused_if_it_is_below_the_organization_or_if_the_tree_gets_too_deep() {
        const SEVEN: &[&str] = &["g", "f", "e", "d", "c", "b", "a"];
        const EIGHT: &[&str] = &["h", "g", "f", "e", "d", "c", "b", "a"];
        let cases: &[Case] = &[
            ("new", 1, &[], Ok(())),
            ("new", 1, &["a"], Ok(())),
            ("new", 1, SEVEN, Ok(())),
            ("new", 2, SEVEN, Err(Misplaced::TooDeep)),
            ("new", 1, EIGHT, Err(Misplaced::TooDeep)),
            ("new", 8, &[], Ok(())),
            ("new", 8, &["a"], Err(Misplaced::TooDeep)),
            ("new", usize::MAX, &["a"], Err(Misplaced::TooDeep)),
            ("a", 1, &["a"], Err(Misplaced::Circle)),
            ("a", 3, &["c", "b", "a"], Err(Misplaced::Circle)),
            ("b", 2, &["c", "b", "a"], Err(Misplaced::Circle)),
            // Ids differ by letter case.
            ("A", 1, &["a"], Ok(())),
            // A circle is a circle, however deep.
            ("a", 8, EIGHT, Err(Misplaced::Circle)),
        ];
        for (org, height, above, expected) in cases {
            assert_eq!(check_parent(org, *height, above), *expected, "{org} {height} {above:?}");
        }
    }

    /// The parent of each organization.
    type Parents = HashMap<String, Option<String>>;

    /// An organization and all above it; `None` in a circle.
    fn path(parents: &Parents, org: &str) -> Option<Vec<String>> {
        let mut path = vec![org.to_owned()];
        while let Some(Some(parent)) = parents.get(path.last()?) {
            if path.contains(parent) {
                return None;
            }
            path.push(parent.clone());
        }
        Some(path)
    }

    fn height(parents: &Parents, org: &str) -> usize {
        let below = parents.iter().filter(|(_, parent)| parent.as_deref() == Some(org));
        1 + below.map(|(id, _)| height(parents, id)).max().unwrap_or_default()
    }

    proptest! {
        #[test]
        fn moves_that_are_permitted_keep_a_tree_and_those_that_are_refused_would_not(
            moves in proptest::collection::vec((0..24_u8, proptest::option::weighted(0.9, 0..24_u8)), 1..120)
        ) {
            let mut parents: Parents = (0..24_u8).map(|n| (n.to_string(), None)).collect();
            for (org, parent) in moves {
                let (org, parent) = (org.to_string(), parent.map(|n| n.to_string()));
                let above = parent.as_ref().map_or(Some(vec![]), |parent| path(&parents, parent)).unwrap();
                let checked = check_parent(&org, height(&parents, &org), &above);
                let mut after = parents.clone();
                after.insert(org, parent);
                let paths: Option<Vec<_>> = after.keys().map(|org| path(&after, org)).collect();
                let deepest = paths.map(|paths| paths.iter().map(Vec::len).max().unwrap());
                match checked {
                    Ok(()) => {
                        prop_assert!(deepest.is_some_and(|depth| depth <= MAX_DEPTH));
                        parents = after;
                    }
                    Err(Misplaced::Circle) => prop_assert_eq!(deepest, None),
                    Err(Misplaced::TooDeep) => prop_assert!(deepest.is_some_and(|depth| depth > MAX_DEPTH)),
                }
            }
        }
    }
}
