//! The tree against the vectors of certificate transparency, and every proof of every small tree.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use expacti_audit::{CompactRange, Tree, TreeHash, extends, includes, leaf_hash};

/// The leaves of certificate transparency's reference tests.
const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

const MOST: u64 = 200;

fn hashes(text: &[&str]) -> Vec<TreeHash> {
    text.iter().map(|hash| hex::decode(hash).unwrap().try_into().unwrap()).collect()
}

fn line(index: u64) -> Vec<u8> {
    format!("{{\"seq\":{index}}}").into_bytes()
}

fn tree(size: u64) -> (Tree, Vec<TreeHash>) {
    let (mut tree, mut range) = (Tree::default(), CompactRange::default());
    let mut roots = vec![range.root()];
    for index in 0..size {
        tree.append(&line(index));
        range.append(&line(index));
        roots.push(range.root());
    }
    (tree, roots)
}

#[test]
fn known_answers() {
    let (mut tree, mut range) = (Tree::default(), CompactRange::default());
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(vec![range.root()], hashes(&[empty]));
    for (leaf, root) in LEAVES.iter().zip(hashes(&ROOTS)) {
        let leaf = hex::decode(leaf).unwrap();
        tree.append(&leaf);
        range.append(&leaf);
        assert_eq!((tree.root(tree.size()), range.root()), (Some(root), root));
    }
    let inclusion = |index, size, proof: &[&str]| {
        assert_eq!(tree.inclusion(index, size).unwrap(), hashes(proof), "{index} of {size}");
    };
    inclusion(0, 1, &[]);
    inclusion(
        0,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    );
    inclusion(
        5,
        8,
        &[
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    );
    inclusion(2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]);
    let consistency = |old, new, proof: &[&str]| {
        assert_eq!(tree.consistency(old, new).unwrap(), hashes(proof), "{old} to {new}");
    };
    consistency(1, 1, &[]);
    consistency(
        1,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    );
    consistency(
        6,
        8,
        &[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    );
    consistency(
        2,
        5,
        &[
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    );
}

/// The proof with each of its bits flipped (or one of each hash), with one hash less and one more.
fn changed(proof: &[TreeHash], every_bit: bool) -> impl Iterator<Item = Vec<TreeHash>> {
    let bits = proof.len() * 256;
    let flipped = (0..bits).step_by(if every_bit { 1 } else { 257 }).map(|bit| {
        let mut other = proof.to_vec();
        other[bit / 256][bit % 256 / 8] ^= 1 << (bit % 8);
        other
    });
    let longer = [proof, &[[0; 32]]].concat();
    let shorter = proof.split_last().map(|(_, shorter)| shorter.to_vec());
    flipped.chain([longer]).chain(shorter)
}

#[test]
fn every_inclusion_is_proven_and_nothing_else() {
    let (tree, roots) = tree(MOST);
    for size in 1..=MOST {
        let root = &roots[size as usize];
        assert_eq!(tree.root(size), Some(*root));
        for index in 0..size {
            let leaf = leaf_hash(&line(index));
            let proof = tree.inclusion(index, size).unwrap();
            assert!(includes(root, size, index, &leaf, &proof), "{index} of {size}");
            let thorough = size <= 24 || size == MOST && index % 9 == 0;
            for proof in changed(&proof, thorough) {
                assert!(!includes(root, size, index, &leaf, &proof), "{index} of {size}");
            }
            assert!(!includes(root, size, index, &leaf_hash(b"other"), &proof));
            assert!(!includes(&roots[size as usize - 1], size, index, &leaf, &proof));
            let others = if thorough { 0..size + 2 } else { index + 1..index + 2 };
            for other in others.filter(|other| *other != index) {
                assert!(!includes(root, size, other, &leaf, &proof), "{index} as {other}");
            }
        }
        assert!(tree.inclusion(size, size).is_none());
    }
    assert!(tree.inclusion(0, MOST + 1).is_none() && tree.root(MOST + 1).is_none());
}

#[test]
fn every_consistency_is_proven_and_nothing_else() {
    let (tree, roots) = tree(MOST);
    for new in 0..=MOST {
        for old in 0..=new {
            let (old_root, new_root) = (&roots[old as usize], &roots[new as usize]);
            let proof = tree.consistency(old, new).unwrap();
            assert!(extends(old, old_root, new, new_root, &proof), "{old} to {new}");
            for proof in changed(&proof, new <= 24 || new == MOST && old % 9 == 0) {
                assert!(!extends(old, old_root, new, new_root, &proof), "{old} to {new}");
            }
            let mut other = *old_root;
            other[31] ^= 1;
            assert!(!extends(old, &other, new, new_root, &proof), "{old} to {new}");
            let mut other = *new_root;
            other[0] ^= 1;
            if old > 0 {
                assert!(!extends(old, old_root, new, &other, &proof), "{old} to {new}");
            }
            if old < new {
                assert!(!extends(new, new_root, old, old_root, &proof), "{new} to {old}");
            }
        }
    }
    assert!(tree.consistency(3, 2).is_none() && tree.consistency(1, MOST + 1).is_none());
}

#[test]
fn a_fork_is_never_consistent() {
    let (tree, roots) = tree(64);
    for fork in 1..64 {
        let mut forked = Tree::default();
        for index in 0..64 {
            forked.append(&if index == fork { b"other".to_vec() } else { line(index) });
        }
        let root = forked.root(64).unwrap();
        for old in 1..64 {
            let proof = forked.consistency(old, 64).unwrap();
            let holds = extends(old, &roots[old as usize], 64, &root, &proof);
            assert_eq!(holds, old <= fork, "forked at {fork}, from {old}");
            let own = tree.consistency(old, 64).unwrap();
            assert!(!extends(old, &roots[old as usize], 64, &root, &own));
        }
    }
}
