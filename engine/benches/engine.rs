//! How long the whole judgement of a submission takes, as the broker asks for it: the score, rules,
//! policies, what it does with its standard input, and the masked text. Typical lines with ten and ten
//! thousand rules and fifty policies, rules that all begin alike, the caps; and the commands of real
//! agents, where `EXPACTI_CORPORA` names a directory with `agent-commands.jsonl`.
//! Run with `cargo bench -p expacti-engine`; prints the best, p50, p99 and the worst, in
//! microseconds. `-- TEXT` measures only what has the text in its name.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use expacti_engine::{
    Context, Effect, Event, History, ItemSyntax, MatchKind, Policy, PolicySet, Reading, RiskTables,
    Rule, RuleSet, Snapshot,
};

const TYPICAL: [&str; 12] = [
    "ls -la /var/www",
    "kubectl get pods -n staging",
    "systemctl status nginx --no-pager",
    "git log --oneline -n 5",
    "cat /etc/nginx/nginx.conf | grep -n server_name",
    "docker compose -f docker-compose.yml up -d web",
    "find /var/log -name '*.gz' -mtime +30 -delete",
    "sudo apt-get install -y nginx",
    "psql -h db -c 'select count(*) from users where active'",
    "for f in *.log; do gzip -9 \"$f\"; done",
    "tar czf /backup/app-$(date +%F).tar.gz /srv/app",
    "curl -fsSL https://example.com/install.sh | sudo bash",
];

fn rule(n: usize) -> Rule {
    let (kind, pattern) = match n % 4 {
        0 => (MatchKind::Exact, format!("systemctl status unit-{n} --no-pager")),
        1 => (MatchKind::Glob, format!("kubectl get pods -n team-{n}-*")),
        2 => (MatchKind::Glob, format!("tool-{n} run *")),
        _ => (MatchKind::Regex, format!("cat /srv/app-{n}/logs/[a-z0-9-]+\\.log")),
    };
    rule_of(n, kind, pattern, if n % 50 == 7 { Effect::Deny } else { Effect::Allow })
}

/// Rules that all begin alike, so that their first words tell nothing: a tenth of them deny.
fn alike(n: usize) -> Rule {
    let (pattern, effect) = match n % 10 {
        0 => (format!("kubectl get pods -n secret-{n}-* **"), Effect::Deny),
        1..=5 => (format!("kubectl get pods -n team-{n}-*"), Effect::Allow),
        _ => (format!("kubectl get pods -n team-{n} -o wide"), Effect::Allow),
    };
    rule_of(n, MatchKind::Glob, pattern, effect)
}

fn rule_of(n: usize, kind: MatchKind, pattern: String, effect: Effect) -> Rule {
    Rule { author: "bench".to_owned(), ..Rule::new(format!("r{n}"), kind, pattern, effect) }
}

fn looks() -> Rule {
    Rule { id: "looks".to_owned(), kind: MatchKind::Looks, pattern: "looks".to_owned(), ..rule(0) }
}

fn policy(n: usize) -> Policy {
    let pattern = match n % 5 {
        0 => format!("tool-{n} delete **"),
        1 => "kubectl delete **".to_owned(),
        2 => "systemctl restart *".to_owned(),
        3 => format!("git push origin branch-{n}"),
        _ => "rm -rf **".to_owned(),
    };
    Policy::any(format!("p{n}"), pattern)
}

fn snapshot(rules: usize, rule: fn(usize) -> Rule) -> Snapshot {
    Snapshot {
        tables: RiskTables::builtin().clone(),
        rules: RuleSet::build((0..rules).map(rule).chain([looks()]).collect()).unwrap(),
        policies: PolicySet::build((0..50).map(policy).collect()).unwrap(),
    }
}

fn report(name: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
    println!(
        "{name:44} best {:9.2} us   p50 {:9.2} us   p99 {:9.2} us   worst {:9.2} us",
        // On a machine that is shared, the best is what the code takes and the rest what it waits.
        at(0.0),
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

fn measure(name: &str, rounds: usize, lines: &[&str], snapshot: &Snapshot, history: &History) {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    if wanted.is_some_and(|wanted| !name.contains(&wanted)) {
        return;
    }
    let context = Context {
        agent: "bot".to_owned(),
        target: "web-1".to_owned(),
        shell: Some("bash".to_owned()),
        ..Context::default()
    };
    let mut times = Vec::with_capacity(rounds * lines.len());
    for round in 0..rounds + 20 {
        for line in lines {
            let start = Instant::now();
            let item = black_box(line.as_bytes());
            let read = Reading::of(snapshot, ItemSyntax::Command, item, &context);
            let (input, masked) = (read.input_use(), read.masked());
            let moves = read.transfer().map(str::to_owned);
            black_box((input, masked, moves, read.into_verdict(history)));
            if round >= 20 {
                times.push(start.elapsed());
            }
        }
    }
    report(name, times);
}

/// Commands of real agents that are no longer than a kibibyte.
fn corpus() -> Vec<String> {
    let Some(directory) = std::env::var_os("EXPACTI_CORPORA") else { return Vec::new() };
    let path = std::path::Path::new(&directory).join("agent-commands.jsonl");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let command = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(line.get("command")?.as_str()?.to_owned())
    };
    text.lines().filter_map(command).filter(|line| line.len() <= 1024).collect()
}

fn main() {
    let mut history = History::default();
    for line in TYPICAL {
        let context = Context::default();
        let assessment = RiskTables::builtin().assess(line.as_bytes(), &context);
        history.observe(&Event::Submitted {
            command: line.as_bytes(),
            context: &context,
            assessment: &assessment,
        });
    }
    for rules in [10, 10_000] {
        let start = Instant::now();
        let snapshot = snapshot(rules, rule);
        println!("{rules} rules compiled in {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
        for line in TYPICAL {
            measure(
                &format!("{rules:>6} rules: {}", line.get(..28).unwrap_or(line)),
                300,
                &[line],
                &snapshot,
                &history,
            );
        }
        measure(
            &format!("{rules:>6} rules: all typical lines"),
            500,
            &TYPICAL,
            &snapshot,
            &history,
        );
    }
    let corpus = corpus();
    let corpus: Vec<&str> = corpus.iter().map(String::as_str).collect();
    for (shape, rule) in [("", rule as fn(usize) -> Rule), (" alike", alike)] {
        let snapshot = snapshot(10_000, rule);
        measure(&format!(" 10000 rules{shape}: typical"), 500, &TYPICAL, &snapshot, &history);
        if !corpus.is_empty() {
            measure(&format!(" 10000 rules{shape}: of agents"), 5, &corpus, &snapshot, &history);
        }
    }
    let snapshot = snapshot(10_000, rule);
    let caps: Vec<(&str, String)> = vec![
        ("64 KiB of words", "echo ".to_owned() + &"abc ".repeat(16_380)),
        ("64 KiB of commands", "rm x; ".repeat(10_922)),
        ("64 KiB script", "for f in *.log; do if [ -f \"$f\" ]; then gzip -9 \"$f\" && mv \"$f.gz\" /backup/; fi; done\n".repeat(750)),
        ("64 KiB of $(", "$(".repeat(32_767)),
        ("64 KiB of ((", "((".repeat(32_767)),
        ("64 KiB of `", "`".repeat(65_535)),
        ("64 KiB of ${a:-", "${a:-".repeat(13_106)),
        ("64 KiB of {a,b}", "echo ".to_owned() + &"{a,b}".repeat(13_000)),
        ("64 KiB of quotes", "'\"".repeat(32_767)),
        ("64 KiB here-documents", "cat <<E\nx\nE\n".repeat(5_400)),
        ("64 KiB nested sh -c", format!("sh -c '{}'", "sudo rm -rf /x; ".repeat(4_000))),
        ("64 KiB pipes", "cat x | ".repeat(8_000) + "cat"),
        ("8 KiB script", "if [ -f x ]; then echo y; fi\n".repeat(45)),
        ("11 levels of $(", "echo $(".repeat(11) + "id" + &")".repeat(11)),
        ("64 KiB of non-ASCII", "echo 'дом' ".repeat(4_600)),
        ("64 KiB one word", "a".repeat(65_530)),
        ("64 KiB awk", format!("awk '{}'", "{print $1 \"x\"} ".repeat(4_300))),
        ("64 KiB sed", format!("sed '{}'", "s/a/b/;".repeat(9_000))),
        ("64 KiB python", format!("python -c '{}'", "os.system(\"x y\");".repeat(3_600))),
        ("64 KiB sql", format!("psql -c '{}'", "select 1 from t; ".repeat(3_800))),
        ("64 KiB passwords", "x --password=abcdef1 ".repeat(3_100)),
        ("64 KiB assignments", "a=b;".repeat(16_000)),
        ("64 KiB find -exec", "find / -exec rm {} ; ".repeat(3_100)),
        ("64 KiB git options", format!("git {}", "-c a=b ".repeat(9_000))),
    ];
    for (name, line) in &caps {
        measure(name, 10, &[line.as_str()], &snapshot, &history);
    }
}
