//! Random input: whatever is pressed and pasted while requests come and go, nothing is allowed that
//! was not on the screen, long enough, when the key for it was pressed.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use expacti_protocol::command::{CommandState, CommandView, PromptLabel};
use proptest::prelude::*;

use super::{TestScreen, request};
use crate::model::{LinkMsg, Msg};

#[derive(Debug, Clone)]
enum Step {
    Key(char),
    Burst(String),
    Enter,
    Tab,
    /// What it takes to give a grant, at a pace that is looked at, to whatever is shown.
    Grant,
    Esc,
    Paste(String),
    New(u8),
    Revise(u8),
    End(u8),
    Wait(u64),
    Blind(bool),
    Drop,
    Resize(u16, u16),
    /// The window gets another size, and a key comes before it is drawn.
    ResizeThen(u16, u16, char),
    /// The mouse, and a key right after it.
    Click(u16, u16, char),
    /// The deadline moves: another place in the queue.
    Reorder(u8, i64),
    /// Another one with the same bytes: they are one row.
    Twin(u8),
    /// What stands beside the bytes differs: they are no longer one row.
    Part(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let keys = prop::sample::select(
        "aaaaaaaayyyyyyddDDggggvunjk<G /?NmKcC1234 web-1brhRAtpwq.".chars().collect::<Vec<_>>(),
    );
    prop_oneof![
        8 => keys.clone().prop_map(Step::Key),
        2 => prop::collection::vec(keys, 2..12).prop_map(|k| Step::Burst(k.into_iter().collect())),
        1 => Just(Step::Burst("web-1\n".into())),
        1 => Just(Step::Burst("gweb-1\n".into())),
        1 => Just(Step::Grant),
        1 => Just(Step::Enter),
        1 => Just(Step::Tab),
        1 => Just(Step::Esc),
        1 => prop::sample::select(vec!["a", "y", "ay\n", "web-1\n"]).prop_map(|t| Step::Paste(t.into())),
        4 => (0u8..100).prop_map(Step::New),
        1 => (0u8..20).prop_map(Step::Revise),
        1 => (0u8..20).prop_map(Step::End),
        6 => prop::sample::select(vec![0, 20, 100, 300, 499, 500, 501, 700, 2_000, 2_100]).prop_map(Step::Wait),
        1 => any::<bool>().prop_map(Step::Blind),
        1 => Just(Step::Drop),
        1 => size().prop_map(|(c, r)| Step::Resize(c, r)),
        1 => (size(), decides()).prop_map(|((c, r), k)| Step::ResizeThen(c, r, k)),
        2 => (0u16..100, 0u16..28, decides()).prop_map(|(x, y, k)| Step::Click(x, y, k)),
        1 => (0u8..20, 1i64..120).prop_map(|(n, left)| Step::Reorder(n, left)),
        1 => (0u8..20).prop_map(Step::Twin),
        1 => (0u8..20).prop_map(Step::Part),
    ]
}

fn size() -> impl Strategy<Value = (u16, u16)> {
    prop::sample::select(vec![(100, 28), (80, 24), (40, 12), (30, 8)])
}

fn decides() -> impl Strategy<Value = char> {
    prop::sample::select(vec!['a', 'y', 'd', 'g', '\n', 'n'])
}

/// What the screen itself shows, read from its cells: nothing the model says is believed here.
#[derive(Default)]
struct Witness {
    shown: Option<(String, u64)>,
    /// Requests for which "allow" was pressed after half a second of being shown.
    earned: Vec<String>,
    /// Requests for which "grant" was pressed after as long.
    grantable: Vec<String>,
    /// Of these, the ones whose name was confirmed while they were still shown.
    granted: Vec<String>,
    /// Requests that were shown when a secret was asked for.
    revealed: Vec<String>,
    /// Of these, the ones whose second step was taken while they were still shown.
    confirmed: Vec<String>,
    changed_at: Option<u64>,
}

impl Witness {
    fn look(&mut self, b: &TestScreen) {
        let text = b.text();
        let id = text.split("Request ").nth(1).and_then(|t| t.get(..4)).map(str::to_owned);
        match (&self.shown, id) {
            (Some((shown, _)), Some(id)) if *shown == id => {}
            (_, Some(id)) => self.shown = Some((id, b.model.clock.now)),
            (_, None) => self.shown = None,
        }
    }

    fn press(&mut self, now: u64, code: KeyCode) {
        if let Some((id, since)) = &self.shown {
            let since = since.max(self.changed_at.as_ref().unwrap_or(&0));
            match code {
                KeyCode::Char('v') => self.revealed.push(id.clone()),
                KeyCode::Char('a') if now >= since + 500 => self.earned.push(id.clone()),
                KeyCode::Char('g') if now >= since + 500 => self.grantable.push(id.clone()),
                _ => {}
            }
        }
    }

    fn confirm(&mut self) {
        if let Some((id, _)) = &self.shown {
            if self.earned.contains(id) {
                self.confirmed.push(id.clone());
            }
            if self.grantable.contains(id) {
                self.granted.push(id.clone());
            }
        }
    }
}

fn key(b: &mut TestScreen, w: &mut Witness, code: KeyCode) {
    match code {
        KeyCode::Char('a' | 'g' | 'v') => w.press(b.model.clock.now, code),
        KeyCode::Char('y') | KeyCode::Enter => w.confirm(),
        _ => {}
    }
    b.msg(Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    if !b.blind {
        w.look(b);
    }
}

fn wait(b: &mut TestScreen, w: &mut Witness, ms: u64) {
    let end = b.model.clock.now + ms;
    while b.model.clock.now < end {
        let to = (b.model.clock.now + 100).min(end);
        b.msg(Msg::Now(to));
        if !b.blind {
            w.look(b);
        }
    }
}

/// Requests of every kind.
fn made(id: &str, score: u8) -> CommandView {
    let mut view = match score % 3 {
        0 => super::items::keys(id, score),
        _ => request(id, score),
    };
    if score.is_multiple_of(5) {
        let mut hidden = super::items::interactive(PromptLabel::NoEcho, Some("sudo"));
        hidden.secret = true;
        hidden.grantable = score.is_multiple_of(3);
        view.interactive = Some(hidden);
    }
    view
}

fn code(c: char) -> KeyCode {
    if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) }
}

/// A newer state of the n-th request.
fn revise(
    b: &mut TestScreen,
    w: &mut Witness,
    views: &mut [CommandView],
    n: u8,
    change: impl FnOnce(&mut CommandView),
) {
    let Some(view) = views.get_mut(usize::from(n)) else { return };
    view.revision += 1;
    change(view);
    let view = view.clone();
    let shown = w.shown.as_ref().is_some_and(|(id, _)| id == view.id.short());
    if view.state == CommandState::Pending && shown {
        w.changed_at = Some(b.model.clock.now);
    }
    b.updated(&view);
}

/// Takes one step.
fn take(step: Step, b: &mut TestScreen, w: &mut Witness, views: &mut Vec<CommandView>) {
    match step {
        Step::Key(c) => key(b, w, KeyCode::Char(c)),
        Step::Burst(keys) => {
            for c in keys.chars() {
                key(b, w, code(c));
            }
        }
        Step::Tab => key(b, w, KeyCode::Tab),
        Step::Grant => {
            for c in "gweb-1\n".chars() {
                wait(b, w, 600);
                key(b, w, code(c));
            }
        }
        Step::Enter => key(b, w, KeyCode::Enter),
        Step::Esc => key(b, w, KeyCode::Esc),
        Step::Paste(text) => b.msg(Msg::Paste(text)),
        Step::New(score) => {
            let mut view = made(&format!("{:04}", views.len()), score);
            view.deadline_ms += i64::try_from(b.model.clock.now).unwrap();
            b.pending(&view);
            views.push(view);
        }
        Step::Revise(n) => revise(b, w, views, n, |_| {}),
        Step::End(n) => {
            if let Some(view) = views.get_mut(usize::from(n)) {
                view.revision += 1;
                view.state = CommandState::Expired;
                let view = view.clone();
                b.updated(&view);
            }
        }
        Step::Wait(ms) => wait(b, w, ms),
        Step::Blind(blind) => b.blind = blind,
        Step::Drop => {
            b.msg(Msg::Link(LinkMsg::Down { why: "gone".into(), retry_in: 100 }));
            b.connect();
            for view in views.clone().iter().filter(|v| v.state == CommandState::Pending) {
                b.pending(view);
            }
            b.event(expacti_protocol::reviewer::ReviewerEvent::Synced);
            w.changed_at = Some(b.model.clock.now);
        }
        Step::Resize(cols, rows) => {
            b.terminal.backend_mut().resize(cols, rows);
            b.msg(Msg::Resized);
        }
        Step::ResizeThen(cols, rows, c) => {
            let blind = std::mem::replace(&mut b.blind, true);
            b.terminal.backend_mut().resize(cols, rows);
            b.msg(Msg::Resized);
            key(b, w, code(c));
            b.blind = blind;
        }
        Step::Click(column, row, c) => {
            let kind = MouseEventKind::Down(MouseButton::Left);
            let modifiers = KeyModifiers::NONE;
            b.msg(Msg::Mouse(MouseEvent { kind, column, row, modifiers }));
            if !b.blind {
                w.look(b);
            }
            key(b, w, code(c));
        }
        Step::Reorder(n, left) => {
            let now = i64::try_from(b.model.clock.now).unwrap();
            revise(b, w, views, n, |view| {
                view.deadline_ms = super::support::T0 + now + left * 1000;
            });
        }
        Step::Part(n) => {
            revise(b, w, views, n, |view| view.anomaly = !view.anomaly);
        }
        Step::Twin(n) => {
            if let Some(view) = views.get(usize::from(n)).cloned() {
                let id = super::support::cmd(&format!("{:04}", views.len()));
                let twin = CommandView { id, revision: 1, state: CommandState::Pending, ..view };
                b.pending(&twin);
                views.push(twin);
            }
        }
    }
}

fn check(steps: Vec<Step>) {
    let mut b = TestScreen::new(80, 24);
    b.model.reviewer.role = expacti_protocol::principal::Role::Owner;
    let mut w = Witness::default();
    let mut views: Vec<CommandView> = Vec::new();
    for step in steps {
        take(step, &mut b, &mut w, &mut views);
        if !b.blind {
            w.look(&b);
        }
    }
    // What is held is sent without being drawn again: most of a run's time would go there.
    b.blind = false;
    b.draw();
    b.blind = true;
    b.wait(5_000);
    judge(&b, &w, &views);
}

/// Every allow was earned: what it was for had been shown, long enough, when its keys came.
fn judge(b: &TestScreen, witness: &Witness, views: &[CommandView]) {
    let mut seen = Vec::new();
    for d in b.decisions().into_iter().filter(|d| d.allow) {
        let id = d.id.short().to_owned();
        let view = views.iter().find(|v| v.id == d.id).expect("a request that was sent");
        if d.grant.is_some() {
            assert!(view.interactive.as_ref().unwrap().grantable, "{id} takes no grant");
            assert!(witness.granted.contains(&id), "{id} was granted without its steps");
        } else {
            assert!(witness.earned.contains(&id), "{id} was allowed without having been shown");
        }
        let secret = view.interactive.as_ref().is_some_and(|i| i.secret);
        if d.grant.is_none() && secret && !witness.confirmed.contains(&id) {
            assert!(witness.revealed.contains(&id), "{id} was allowed unseen by one key");
        }
        if d.grant.is_none() && view.risk_score >= 50 {
            assert!(witness.confirmed.contains(&id), "{id} was allowed without its second step");
        }
        let key = (id, d.revision);
        assert!(!seen.contains(&key) || view.state == CommandState::Pending, "allowed twice");
        seen.push(key);
    }
}

/// `PROPTEST_CASES=2000` for a longer run.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(64)
}

/// The terminal gets smaller and larger again before the next frame: what it lost meanwhile is drawn again.
#[test]
fn a_window_that_is_back_at_its_size_is_drawn_anew() {
    check(vec![
        Step::New(21),
        Step::ResizeThen(30, 8, 'a'),
        Step::Resize(80, 24),
        Step::Grant,
        Step::Key('a'),
        Step::Key('a'),
    ]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(),  failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_allow_that_was_not_armed(steps in prop::collection::vec(step(), 1..60)) {
        check(steps);
    }
}

/// A second step typed before its question is on the screen counts for nothing.
#[derive(Debug, Clone, Copy)]
enum Early {
    Yes,
    Name,
    Grant,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(),  failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_step_typed_early_never_confirms(
        early in prop::sample::select(vec![Early::Yes, Early::Name, Early::Grant]),
        pauses in prop::collection::vec(0u64..500, 1..30),
        blind in any::<bool>(),
    ) {
        let mut b = TestScreen::new(100, 30);
        let (score, first, text) = match early {
            Early::Yes => (60, "a", "y"),
            Early::Name => (90, "a", "web-1\n"),
            Early::Grant => (10, "g", "web-1\n"),
        };
        b.pending(&super::items::keys("0001", score));
        b.wait(600);
        b.keys(first);
        // The question may not even be on the screen.
        b.blind = blind;
        let mut keys = text.chars().cycle();
        for pause in pauses {
            b.wait(pause);
            b.keys(&keys.next().unwrap().to_string());
            // Names end with Enter, which a confirmation needs: it comes too soon, too.
            if !matches!(early, Early::Yes) {
                b.code(KeyCode::Enter);
            }
        }
        b.blind = false;
        b.wait(5_000);
        prop_assert!(b.allowed().is_empty(), "{}", b.text());
    }
}

#[test]
fn the_witness_sees_a_real_grant() {
    let mut b = TestScreen::new(80, 24);
    let mut w = Witness::default();
    b.pending(&made("0001", 3));
    w.look(&b);
    for c in "gweb-1\n".chars() {
        wait(&mut b, &mut w, 600);
        key(&mut b, &mut w, if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) });
    }
    b.wait(3_000);
    assert!(b.decisions().iter().any(|d| d.grant.is_some()));
    assert_eq!(w.granted, ["0001"]);
}

#[test]
fn the_witness_sees_a_real_allow() {
    let mut b = TestScreen::new(120, 35);
    let mut w = Witness::default();
    b.pending(&request("0001", 10));
    w.look(&b);
    for _ in 0..6 {
        b.wait(100);
        w.look(&b);
    }
    key(&mut b, &mut w, KeyCode::Char('a'));
    assert_eq!(b.allowed(), ["0001"]);
    assert_eq!(w.earned, ["0001"]);
}
