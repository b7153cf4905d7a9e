//! One command in more than a hundred disguises never scores lower than plain.
#![allow(clippy::unwrap_used, clippy::panic)]

use expacti_engine::{Context, assess};

fn score(command: &str) -> u8 {
    assess(command.as_bytes(), &Context::default()).score
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0_u32, |sum, byte| (sum << 8) | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = usize::try_from((bits >> (18 - 6 * at)) & 63).unwrap();
            out.push(if at <= chunk.len() { char::from(*DIGITS.get(digit).unwrap()) } else { '=' });
        }
    }
    out
}

/// `@` is the command, `%` its program, `&` its arguments.
const DISGUISES: &str = r#"sudo @
doas @
sh -c '@'
bash -c "@"
bash -lc '@'
busybox sh -c '@'
busybox @
eval '@'
eval @
(@)
{ @; }
@;true
true && @
false || @
[[ 1 ]] && @
@ || echo no
@ ＆
nohup @
env @
env -i A=1 @
env -S '@'
A=1 @
timeout 5 @
timeout -k 1 -s KILL 5 @
nice -n 5 @
ionice -c3 nice @
stdbuf -o0 @
setsid @
time @
! @
command @
exec @
coproc @
unshare -m @
nsenter -t 1 -m @
chroot / @
systemd-run @
flock /tmp/l @
flock /tmp/l -c '@'
script -c '@' /dev/null
watch -n1 '@'
parallel @ ::: 1
xargs -I{} sh -c '@' <<< x
echo '&' | xargs %
echo '@' | sh
echo '@' | sudo bash -s
echo '@' | tee /dev/null | sh
printf '%s' '@' | bash
cat <<< '@' | sh
bash <<< '@'
source /dev/stdin <<< '@'
bash <(echo '@')
. <(printf '@')
x='@'; eval "$x"
x='@'; $x
read x <<< '@'; $x
set -- @; "$@@"
a=(@); "${a[@@]}"
x=%; $x &
x=%; ${x} &
${x:-%} &
$(echo %) &
`echo %` &
$(echo @)
$0 -c '@'
if true; then @; fi
for i in 1; do @; done
while true; do @; break; done
until false; do @; done
case x in x) @;; esac
f() { @; }; f
function f { @; }; f
alias x='@'; x
trap '@' EXIT
su -c '@'
su root -c '@'
sudo -u root env X=1 nohup @
ssh host '@'
ssh host @
ssh -p 22 -t user@@host sudo @
docker run -v /:/m ubuntu @
docker exec -it web @
kubectl exec pod -- @
python3 -c "import os; os.system('@')"
python3 -c "import subprocess; subprocess.call('@', shell=True)"
perl -e 'system("@")'
ruby -e 'system("@")'
php -r 'system("@");'
node -e "require('child_process').execSync('@')"
lua -e 'os.execute("@")'
awk 'BEGIN{system("@")}'
sed '1e @' file
vim -c ':!@'
gdb -ex '!@'
expect -c 'spawn @'
find . -maxdepth 0 -exec @ \;
tar cf x y --checkpoint=1 --checkpoint-action=exec='@'
git -c alias.x='!@' x
ssh -o ProxyCommand='@' host
tmux new-session -d '@'
screen -dm @
echo '@' > /tmp/x; sh /tmp/x
echo '* * * * * @' | crontab -
crontab <<< '* * * * * @'
printf '@' | at now
\@
'%' &
"%" &
/bin/@
/usr/bin/../bin/@
#%
@ 2>/dev/null >/dev/null
>/dev/null @"#;

#[test]
fn no_disguise_scores_lower_than_plain() {
    for (program, arguments) in [
        ("rm", "-rf /"),
        ("rm", "-rf /srv/data"),
        ("dd", "if=/dev/zero of=/dev/sda"),
        ("kubectl", "delete pod --all -n production"),
        ("chmod", "-R 777 /etc"),
        ("git", "push --force origin main"),
        ("shutdown", "-h now"),
        ("useradd", "-o -u 0 eve"),
    ] {
        let plain = format!("{program} {arguments}");
        let expected = score(&plain);
        let mut all: Vec<String> = DISGUISES
            .lines()
            .map(|line| {
                // `@@` and the full-width `＆` stand for the characters themselves.
                let line = line
                    .replace("@@", "\u{1}")
                    .replace("'%s'", "'\u{3}s'")
                    .replace("-exec @ \\;", "-exec \u{4} \\;");
                let line = if line.starts_with('#') {
                    format!("# comment\n{plain}")
                } else {
                    line.replace(['@', '\u{4}'], &plain)
                };
                let line = if line.contains(&plain) {
                    line
                } else {
                    line.replace('%', program).replace('&', arguments)
                };
                line.replace('＆', "&").replace('\u{1}', "@").replace('\u{3}', "%")
            })
            .collect();
        let (first, rest) = program.split_at(1);
        let hex: String = plain.bytes().map(|byte| format!("{byte:02x}")).collect();
        let reversed: String = plain.chars().rev().collect();
        all.extend([
            format!("echo {} | base64 -d | sh", base64(&plain)),
            format!("base64 -d <<< {} | bash", base64(&plain)),
            format!("eval \"$(echo {} | base64 --decode)\"", base64(&plain)),
            format!("echo {hex} | xxd -r -p | sh"),
            format!("echo '{reversed}' | rev | sh"),
            format!("bash <<EOF\n{plain}\nEOF"),
            format!("cat > /tmp/s.sh <<'X'\n{plain}\nX\nbash /tmp/s.sh"),
            format!("'{first}'{rest} {arguments}"),
            format!("{first}\"\"{rest} {arguments}"),
            format!("{first}\\{rest} {arguments}"),
            format!("$'\\x{:02x}'{rest} {arguments}", first.as_bytes().first().unwrap()),
            format!(
                "$'{}' {arguments}",
                program.bytes().map(|b| format!("\\{b:03o}")).collect::<String>()
            ),
            format!("a={first}; b={rest}; $a$b {arguments}"),
            format!("{program}   {}", arguments.replace(' ', "    ")),
            format!("{program}\t{}", arguments.replace(' ', "\t")),
            format!("{program} \\\n {arguments}"),
            format!("{{{}}}", plain.replace(' ', ",")),
            plain.replace(' ', "${IFS}"),
            format!("{}{plain}", " ".repeat(80)),
            format!("{plain} # harmless"),
            format!("ls\n{plain}"),
            format!("ls\r\n{plain}"),
        ]);
        let lower: Vec<(u8, String)> = all
            .into_iter()
            .map(|line| (score(&line), line))
            .filter(|(score, _)| *score < expected)
            .collect();
        assert!(lower.is_empty(), "{plain} scores {expected}; lower: {lower:#?}");
    }
}

#[test]
fn the_same_deletion_written_otherwise_is_as_grave() {
    let many = format!("rm -rf {}/", "a ".repeat(600));
    let more = format!("rm -rf {}/", "a ".repeat(3000));
    for line in [
        many.as_str(),
        more.as_str(),
        "rm -r -f /",
        "rm --recursive --force /",
        "rm --recurs --forc /",
        "rm -rf //",
        "rm -rf /./",
        "rm -rf /tmp/..",
        "rm -rf /*",
        "rm -rf -- /",
        "rm / -rf",
        "rm -fr /",
        "rm -Rf /",
        "rm -rfv /",
        "rm -rf \"/\"",
        "rm -rf \\/",
        "rm -rf $'\\057'",
        "cd / && rm -rf *",
        "cd /; rm -rf .",
        "гm -rf /",
        "ｒm -rf /",
        "rm -rf ${HOME:0:1}",
        "rm -rf $(printf /)",
        "rm -rf /{bin,etc,usr}",
        "rm -rf /???",
        "/bin/r? -rf /",
        "find / -delete",
        "find / | xargs rm -rf",
        "find / -exec rm -rf {} +",
        "x=/; rm -rf $x",
        "for d in / /home; do rm -rf $d; done",
        "$CMD -rf /",
        "rm -rf /usr/../",
        "rm -rf /etc/../*",
        "perl -MFile::Path -e 'rmtree(\"/\")'",
        "python3 -c 'import shutil; shutil.rmtree(\"/\")'",
    ] {
        assert!(score(line) >= 95, "{} {line}", score(line));
    }
}
