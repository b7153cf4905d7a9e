//! What a wrapped program may not ask of the kernel. Each of these holds for everything it starts.

use landlock::{CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, RulesetCreated, Scope};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, clear_ambient_capability_set,
    configure_capability_in_ambient_set, set_capabilities, set_capabilities_secure_bits,
    set_no_new_privs,
};
use seccompiler::sock_filter;

use crate::error::WrapError;

/// Keeps the capability to mount through the start of `__init`, which needs it.
pub(crate) fn keep_mounting() -> Result<(), WrapError> {
    let failed = || WrapError::errno("keep the right to mount");
    let all = CapabilitySet::SYS_ADMIN | CapabilitySet::SETPCAP;
    let sets = CapabilitySets { effective: all, permitted: all, inheritable: all };
    set_capabilities(None, sets).map_err(failed())?;
    for one in [CapabilitySet::SYS_ADMIN, CapabilitySet::SETPCAP] {
        configure_capability_in_ambient_set(one, true).map_err(failed())?;
    }
    Ok(())
}

/// Gives every capability up, for this process and all that it starts.
pub(crate) fn drop_capabilities() -> Result<(), WrapError> {
    let failed = || WrapError::errno("give up capabilities");
    // Also those that the start of a program as root would bring back.
    for one in CapabilitySet::all().iter() {
        // Those that this kernel does not have cannot be held either.
        match rustix::thread::remove_capability_from_bounding_set(one) {
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(e) => return Err(failed()(e)),
        }
    }
    let bits = CapabilitiesSecureBits::NO_ROOT
        | CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED;
    set_capabilities_secure_bits(bits).map_err(failed())?;
    clear_ambient_capability_set().map_err(failed())?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    set_capabilities(None, sets).map_err(failed())
}

/// Keeps this process from being traced by those it starts: it is theirs to end with.
pub(crate) fn refuse_tracing() -> Result<(), WrapError> {
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
        .map_err(WrapError::errno("refuse tracing"))
}

/// `no_new_privs`, the filter of system calls, and the scope of signals and abstract sockets.
pub(crate) fn restrict() -> Result<(), WrapError> {
    set_no_new_privs(true).map_err(WrapError::errno("refuse new privileges"))?;
    scope()?;
    seccompiler::apply_filter(&filter())
        .map_err(|e| WrapError::Usage(format!("failed to filter system calls: {e}")))
}

/// Whether this kernel can keep abstract sockets and signals within the wrap (Landlock ABI 6, Linux
/// 6.12).
pub(crate) fn has_scopes() -> bool {
    scopes().is_ok()
}

fn scopes() -> Result<Ruleset, landlock::RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .scope(Scope::AbstractUnixSocket | Scope::Signal)
}

fn scope() -> Result<(), WrapError> {
    // Where there are none, the wrap has looked for abstract sockets before.
    let Ok(ruleset) = scopes() else { return Ok(()) };
    ruleset
        .create()
        .and_then(RulesetCreated::restrict_self)
        .map(drop)
        .map_err(|e| WrapError::Usage(format!("failed to keep signals within the wrap: {e}")))
}

// The numbers of `include/uapi/linux/{audit,bpf_common,filter,seccomp}.h`.
const LOAD: u16 = 0x20;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
/// Offsets in `struct seccomp_data`, little-endian: of the second argument only the low half is
/// looked at, as the kernel does with the number of an `ioctl`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const SECOND_ARGUMENT: u32 = 24;
const X86_64: u32 = 0xc000_003e;
const I386: u32 = 0x4000_0003;
const AARCH64: u32 = 0xc000_00b7;
const ARM: u32 = 0x4000_0028;
const RISCV64: u32 = 0xc000_00f3;
/// `ioctl` on each of them; on x86-64 also by the x32 ABI, with its old and its own number.
const IOCTL_X86_64: u32 = 16;
const IOCTL_X32: u32 = 0x4000_0000 | 514;
const IOCTL_X32_OLD: u32 = 0x4000_0000 | 16;
const IOCTL_32_BIT: u32 = 54;
const IOCTL_GENERIC: u32 = 29;
/// `add_key`, `request_key` and `keyctl`: the user's keyring is that of the whole machine.
const X32: u32 = 0x4000_0000;
const KEYS_X86_64: [u32; 6] = [248, 249, 250, X32 | 248, X32 | 249, X32 | 250];
const KEYS_I386: [u32; 3] = [286, 287, 288];
const KEYS_ARM: [u32; 3] = [309, 310, 311];
const KEYS_GENERIC: [u32; 3] = [217, 218, 219];
/// Puts a byte into the input of a terminal, as if it had been typed there.
const TIOCSTI: u32 = 0x5412;
/// Does the same by selecting and pasting on a virtual console.
const TIOCLINUX: u32 = 0x541c;
const ALLOW: u32 = 0x7fff_0000;
/// `SECCOMP_RET_ERRNO` with `EPERM`.
const REFUSE: u32 = 0x0005_0001;

const fn statement(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

const fn jump(k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code: JUMP_IF_EQUAL, jt, jf, k }
}

/// Refuses the two calls by which a program types into its terminal, and those for keyrings, on every
/// architecture whose programs can run here. One that is not known cannot make calls.
fn filter() -> Vec<sock_filter> {
    let tables: [(u32, &[u32], &[u32]); 5] = [
        (X86_64, &[IOCTL_X86_64, IOCTL_X32, IOCTL_X32_OLD], &KEYS_X86_64),
        (I386, &[IOCTL_32_BIT], &KEYS_I386),
        (ARM, &[IOCTL_32_BIT], &KEYS_ARM),
        (AARCH64, &[IOCTL_GENERIC], &KEYS_GENERIC),
        (RISCV64, &[IOCTL_GENERIC], &KEYS_GENERIC),
    ];
    let check = [
        statement(LOAD, SECOND_ARGUMENT),
        jump(TIOCSTI, 2, 0),
        jump(TIOCLINUX, 1, 0),
        statement(RETURN, ALLOW),
        statement(RETURN, REFUSE),
    ];
    // Backwards, so that every distance is known.
    let mut program: Vec<sock_filter> = vec![statement(RETURN, REFUSE)];
    /// The length of the check, which lies behind every table.
    const CHECK: usize = 5;
    program.extend(check);
    let distance = |program: &[sock_filter]| u8::try_from(program.len() - CHECK).unwrap_or(0);
    for (architecture, numbers, keys) in tables.into_iter().rev() {
        // The last instruction of the block refuses, the one before it allows.
        let mut block = vec![statement(RETURN, ALLOW), statement(RETURN, REFUSE)];
        for number in keys.iter().rev() {
            let to_refusal = u8::try_from(block.len() - 1).unwrap_or(0);
            block.insert(0, jump(*number, to_refusal, 0));
        }
        for number in numbers.iter().rev() {
            let to_check = distance(&program) + u8::try_from(block.len()).unwrap_or(0);
            block.insert(0, jump(*number, to_check, 0));
        }
        block.insert(0, statement(LOAD, NUMBER));
        let over = u8::try_from(block.len()).unwrap_or(0);
        block.insert(0, jump(architecture, 0, over));
        block.extend(program);
        program = block;
    }
    program.insert(0, statement(LOAD, ARCHITECTURE));
    program
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    /// Runs a filter as the kernel does.
    fn run(architecture: u32, number: u32, second: u64) -> u32 {
        let program = filter();
        let (mut at, mut value) = (0, 0);
        loop {
            let step = &program[at];
            at += 1;
            match step.code {
                LOAD => {
                    value = match step.k {
                        NUMBER => number,
                        ARCHITECTURE => architecture,
                        SECOND_ARGUMENT => second as u32,
                        other => panic!("{other}"),
                    }
                }
                JUMP_IF_EQUAL => at += usize::from(if value == step.k { step.jt } else { step.jf }),
                RETURN => return step.k,
                other => panic!("{other}"),
            }
        }
    }

    #[test]
    fn typing_into_the_terminal_is_refused_by_every_way() {
        for (architecture, number) in [
            (X86_64, IOCTL_X86_64),
            (X86_64, IOCTL_X32),
            (X86_64, IOCTL_X32_OLD),
            (I386, IOCTL_32_BIT),
            (ARM, IOCTL_32_BIT),
            (AARCH64, IOCTL_GENERIC),
            (RISCV64, IOCTL_GENERIC),
        ] {
            for request in [0x5412, 0x541c, 0x1_0000_5412, 0xffff_ffff_0000_541c] {
                assert_eq!(run(architecture, number, request), REFUSE, "{architecture:x}");
            }
            for request in [0x5401, 0x5413, 0x5410, 0] {
                assert_eq!(run(architecture, number, request), ALLOW, "{architecture:x}");
            }
            assert_eq!(run(architecture, number + 1, 0x5412), ALLOW);
        }
        for (architecture, keys) in [
            (X86_64, &KEYS_X86_64[..]),
            (I386, &KEYS_I386),
            (ARM, &KEYS_ARM),
            (AARCH64, &KEYS_GENERIC),
            (RISCV64, &KEYS_GENERIC),
        ] {
            for number in keys {
                assert_eq!(run(architecture, *number, 0), REFUSE, "{architecture:x} {number}");
            }
            assert_eq!(run(architecture, keys[2] + 1, 0), ALLOW);
            assert_eq!(run(architecture, keys[0] - 1, 0), ALLOW);
        }
        assert_eq!(run(0, 1, 0), REFUSE);
    }
}
