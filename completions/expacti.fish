# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_expacti_global_optspecs
    string join \n broker= token-file= json h/help V/version
end

function __fish_expacti_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_expacti_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_expacti_using_subcommand
    set -l cmd (__fish_expacti_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c expacti -n "__fish_expacti_needs_command" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_needs_command" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_needs_command" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_needs_command" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_needs_command" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "review" -d 'Review commands in a terminal: a allows, d denies'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "pending" -d 'List the commands that wait for a decision'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "allow" -d 'Allow a command'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "deny" -d 'Deny a command'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "taint" -d 'Show and clear accounts that approved lines may have changed'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "pause" -d 'Hold every command of a session, whatever the rules allow'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "resume" -d 'Let the rules decide again in a paused session'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "kill" -d 'End a session: close its connection and deny what waits'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "wrap" -d 'Run a program with its SSH connections held for review'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "demo" -d 'See how it works, with two scripted agents and a simulated target'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "sessions" -d 'List sessions, newest first'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "watch" -d 'Show the live output of a session'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "replay" -d 'Replay the recording of a session'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "audit" -d 'Read, verify and export the tamper-evident log'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "risk" -d 'Score a command and explain the score (needs no broker)'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "rules" -d 'Manage rules: what is allowed or denied without a person'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "policy" -d 'Manage policies: how many approvals a command needs, and whose'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "apply" -d 'Make targets, agents, policies and rules what a file says'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "config" -d 'Show the configuration and where each value came from'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "webhook" -d 'Test webhooks: messages over HTTP when a command waits'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "doctor" -d 'Check this machine: ssh, directories, disk, broker, enforcement'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "setup" -d 'Make broker and gate a service of this machine (as root)'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "completions" -d 'Print a shell completion script'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "man" -d 'Print the manual page, or write all pages to a directory'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "up" -d 'Start the broker and the gate of this machine in the background'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "status" -d 'Show whether the broker and the gate are running'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "down" -d 'Stop the broker and the gate of this machine; deny what waits'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "broker" -d 'Run a team\'s broker'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "gate" -d 'Run a team\'s gate, or manage gates'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "target" -d 'Manage the targets of a team\'s gate'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "reviewer" -d 'Manage reviewers, admins and viewers, and their tokens'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "agent" -d 'Manage agents and the keys they log in with'
complete -c expacti -n "__fish_expacti_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand review" -l key -d 'The key that signs what you allow: a private key file, or a .pub whose key the ssh-agent has [default: signing_key of the configuration]' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand review" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand review" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand review" -l ascii -d 'Draw with ASCII characters only'
complete -c expacti -n "__fish_expacti_using_subcommand review" -l no-notify -d 'No desktop notifications'
complete -c expacti -n "__fish_expacti_using_subcommand review" -l no-bell -d 'No terminal bell'
complete -c expacti -n "__fish_expacti_using_subcommand review" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand review" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand review" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand pending" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand pending" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand pending" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand pending" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand pending" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand allow" -l key -d 'The key that signs what you allow: a private key file, or a .pub whose key the ssh-agent has [default: signing_key of the configuration]' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand allow" -l grant -d 'Let keys to the program in the foreground pass unreviewed for this long: 1s to 1h' -r
complete -c expacti -n "__fish_expacti_using_subcommand allow" -l grant-bytes -d 'The most bytes of keys that may pass: 1 to 16M' -r
complete -c expacti -n "__fish_expacti_using_subcommand allow" -l input -d 'Cover the standard input that came with the command too: the one with this SHA-256 (8 digits or more of it), as `pending` shows it' -r
complete -c expacti -n "__fish_expacti_using_subcommand allow" -l input-grant -d 'Let standard input that comes later flow without showing it, for this long: 1s to 24h. Only where the command writes it into a file or unpacks it' -r
complete -c expacti -n "__fish_expacti_using_subcommand allow" -l input-bytes -d 'The most bytes of standard input that may flow: 1 to 1024G' -r
complete -c expacti -n "__fish_expacti_using_subcommand allow" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand allow" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand allow" -l trust -d 'Go on trusting what only looks in that account, whatever this may change there'
complete -c expacti -n "__fish_expacti_using_subcommand allow" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand allow" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand allow" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand deny" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand deny" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand deny" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand deny" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand deny" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand taint; and not __fish_seen_subcommand_from list clear help" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand taint; and not __fish_seen_subcommand_from list clear help" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand taint; and not __fish_seen_subcommand_from list clear help" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand taint; and not __fish_seen_subcommand_from list clear help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand taint; and not __fish_seen_subcommand_from list clear help" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand taint; and not __fish_seen_subcommand_from list clear help" -f -a "list" -d 'List the accounts that may have changed'
complete -c expacti -n "__fish_expacti_using_subcommand taint; and not __fish_seen_subcommand_from list clear help" -f -a "clear" -d 'Trust an account again'
complete -c expacti -n "__fish_expacti_using_subcommand taint; and not __fish_seen_subcommand_from list clear help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand taint; and __fish_seen_subcommand_from list" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand taint; and __fish_seen_subcommand_from list" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand taint; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand taint; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand taint; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand taint; and __fish_seen_subcommand_from clear" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand taint; and __fish_seen_subcommand_from clear" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand taint; and __fish_seen_subcommand_from clear" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand taint; and __fish_seen_subcommand_from clear" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand taint; and __fish_seen_subcommand_from clear" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand taint; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the accounts that may have changed'
complete -c expacti -n "__fish_expacti_using_subcommand taint; and __fish_seen_subcommand_from help" -f -a "clear" -d 'Trust an account again'
complete -c expacti -n "__fish_expacti_using_subcommand taint; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand pause" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand pause" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand pause" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand pause" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand pause" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand resume" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand resume" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand resume" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand resume" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand resume" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand kill" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand kill" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand kill" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand kill" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand kill" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand wrap" -l agent -d 'The agent\'s name, as reviewers and rules see it [default: the program\'s name]' -r
complete -c expacti -n "__fish_expacti_using_subcommand wrap" -l reason -d 'What the agent is working on, for the reviewer' -r
complete -c expacti -n "__fish_expacti_using_subcommand wrap" -l ssh-config -d 'The ssh configuration of every ssh that the program starts, in place of yours and the system\'s; read when the wrap starts' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand wrap" -l identity -d 'A private key that the program may name, besides those in ~/.ssh and in your ssh configuration (may be given more than once)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand wrap" -l with -d 'Let the program use something that leads out of its isolation: docker, gpg, proxy-commands (programs of your ssh configuration that read files of yours), or a path; reviewers see it with every request' -r
complete -c expacti -n "__fish_expacti_using_subcommand wrap" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand wrap" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand wrap" -l keep -d 'Wait for what the program leaves running instead of ending it'
complete -c expacti -n "__fish_expacti_using_subcommand wrap" -l no-isolate -d 'Run the program without namespaces, for one that needs sudo; reviewers see it with every request'
complete -c expacti -n "__fish_expacti_using_subcommand wrap" -l path-only -d 'Run the program although it could start ssh without the gate; reviewers see it with every request'
complete -c expacti -n "__fish_expacti_using_subcommand wrap" -l explain -d 'Run nothing; say what keeps programs from going round the gate on this machine'
complete -c expacti -n "__fish_expacti_using_subcommand wrap" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand wrap" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand wrap" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand demo" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand demo" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand demo" -l unattended -d 'Play without a person: a scripted reviewer decides'
complete -c expacti -n "__fish_expacti_using_subcommand demo" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand demo" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand demo" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand sessions" -l limit -d 'The most sessions to list' -r
complete -c expacti -n "__fish_expacti_using_subcommand sessions" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand sessions" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand sessions" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand sessions" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand sessions" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand watch" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand watch" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand watch" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand watch" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand watch" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand replay" -l speed -d 'Playback speed: 2 is twice as fast' -r
complete -c expacti -n "__fish_expacti_using_subcommand replay" -l idle-time-limit -d 'Shorten pauses to at most this long' -r
complete -c expacti -n "__fish_expacti_using_subcommand replay" -l export -d 'Write the recording to a file instead; - for standard output' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand replay" -l format -d 'The format to write [default: txt for a FILE.txt, otherwise asciicast-v2]' -r -f -a "asciicast-v2\t'Played by asciinema 2 and 3'
asciicast-v3\t'Played by asciinema 3'
txt\t'What was on the screen, as plain text'"
complete -c expacti -n "__fish_expacti_using_subcommand replay" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand replay" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand replay" -l ascii -d 'Draw with ASCII characters only'
complete -c expacti -n "__fish_expacti_using_subcommand replay" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand replay" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and not __fish_seen_subcommand_from accept log verify prove bundle key witness export help" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand audit; and not __fish_seen_subcommand_from accept log verify prove bundle key witness export help" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand audit; and not __fish_seen_subcommand_from accept log verify prove bundle key witness export help" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and not __fish_seen_subcommand_from accept log verify prove bundle key witness export help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and not __fish_seen_subcommand_from accept log verify prove bundle key witness export help" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and not __fish_seen_subcommand_from accept log verify prove bundle key witness export help" -f -a "accept" -d 'Take the broker\'s log as it is now, whatever this machine has seen of it'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and not __fish_seen_subcommand_from accept log verify prove bundle key witness export help" -f -a "log" -d 'Show the log'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and not __fish_seen_subcommand_from accept log verify prove bundle key witness export help" -f -a "verify" -d 'Verify the hash chain; exit status 1 and the first bad entry when it is broken'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and not __fish_seen_subcommand_from accept log verify prove bundle key witness export help" -f -a "prove" -d 'Write the proof that the log has its entries about a command'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and not __fish_seen_subcommand_from accept log verify prove bundle key witness export help" -f -a "bundle" -d 'Write all that others need to check what happened with a command'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and not __fish_seen_subcommand_from accept log verify prove bundle key witness export help" -f -a "key" -d 'Print the key of the log, for witnesses: NAME+ID+BASE64'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and not __fish_seen_subcommand_from accept log verify prove bundle key witness export help" -f -a "witness" -d 'Cosign the heads of other brokers\' logs, over HTTP (c2sp.org/tlog-witness)'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and not __fish_seen_subcommand_from accept log verify prove bundle key witness export help" -f -a "export" -d 'Write the whole log as canonical JSON lines, with a signed checkpoint at the end'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and not __fish_seen_subcommand_from accept log verify prove bundle key witness export help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from accept" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from accept" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from accept" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from accept" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from accept" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from log" -l limit -d 'How many of the last entries to show' -r
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from log" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from log" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from log" -l follow -d 'Keep showing new entries as they are written'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from log" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from log" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from log" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from verify" -l file -d 'An exported log instead of the broker\'s' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from verify" -l proof -d 'What `audit prove` has written' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from verify" -l bundle -d 'What `audit bundle` has written' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from verify" -l key -d 'The public key of the broker that must have signed' -r
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from verify" -l signers -d 'Who may sign, as OpenSSH\'s allowed_signers; a signature of anybody else is refused' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from verify" -l revoked -d 'Keys that count for nothing any more' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from verify" -l gate -d 'The public key of a gate, "ssh-ed25519 AAAA…"; a report by another one is refused; may be repeated' -r
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from verify" -l witness -d 'The key of a witness that must have cosigned the head, NAME+ID+BASE64; may be repeated' -r
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from verify" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from verify" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from verify" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from verify" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from prove" -s o -l out -d 'Write to this file instead of standard output' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from prove" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from prove" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from prove" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from prove" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from prove" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from bundle" -s o -l out -d 'The file to write' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from bundle" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from bundle" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from bundle" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from bundle" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from bundle" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from key" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from key" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from key" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from key" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from key" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from witness" -l listen -d 'Where to listen for brokers' -r
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from witness" -l log -d 'The key of a log to witness, as `audit key` prints it; may be repeated' -r
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from witness" -l name -d 'The witness\'s name [default: the host\'s]' -r
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from witness" -l key -d 'Its private key [default: witness_ed25519 among the keys in the data directory]' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from witness" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from witness" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from witness" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from witness" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from witness" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from export" -s o -l out -d 'Write to this file instead of standard output' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from export" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from export" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from export" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from export" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from help" -f -a "accept" -d 'Take the broker\'s log as it is now, whatever this machine has seen of it'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from help" -f -a "log" -d 'Show the log'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Verify the hash chain; exit status 1 and the first bad entry when it is broken'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from help" -f -a "prove" -d 'Write the proof that the log has its entries about a command'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from help" -f -a "bundle" -d 'Write all that others need to check what happened with a command'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from help" -f -a "key" -d 'Print the key of the log, for witnesses: NAME+ID+BASE64'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from help" -f -a "witness" -d 'Cosign the heads of other brokers\' logs, over HTTP (c2sp.org/tlog-witness)'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from help" -f -a "export" -d 'Write the whole log as canonical JSON lines, with a signed checkpoint at the end'
complete -c expacti -n "__fish_expacti_using_subcommand audit; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand risk" -l target -d 'The target it would run on' -r
complete -c expacti -n "__fish_expacti_using_subcommand risk" -l cwd -d 'The working directory it would run in' -r
complete -c expacti -n "__fish_expacti_using_subcommand risk" -l shell -d 'The shell of the account it would run in' -r
complete -c expacti -n "__fish_expacti_using_subcommand risk" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand risk" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand risk" -l stdin -d 'Read JSON lines {"command":"…","target":"…","cwd":"…"} and answer each with one line'
complete -c expacti -n "__fish_expacti_using_subcommand risk" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand risk" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand risk" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and not __fish_seen_subcommand_from add list remove approve cover test sign report suggest backtest import export defaults help" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and not __fish_seen_subcommand_from add list remove approve cover test sign report suggest backtest import export defaults help" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand rules; and not __fish_seen_subcommand_from add list remove approve cover test sign report suggest backtest import export defaults help" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and not __fish_seen_subcommand_from add list remove approve cover test sign report suggest backtest import export defaults help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and not __fish_seen_subcommand_from add list remove approve cover test sign report suggest backtest import export defaults help" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and not __fish_seen_subcommand_from add list remove approve cover test sign report suggest backtest import export defaults help" -f -a "add" -d 'Add a rule'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and not __fish_seen_subcommand_from add list remove approve cover test sign report suggest backtest import export defaults help" -f -a "list" -d 'List the rules'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and not __fish_seen_subcommand_from add list remove approve cover test sign report suggest backtest import export defaults help" -f -a "remove" -d 'Remove a rule'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and not __fish_seen_subcommand_from add list remove approve cover test sign report suggest backtest import export defaults help" -f -a "approve" -d 'Add your approval to a rule: where a policy asks for several approvals, a rule allows only once it has as many'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and not __fish_seen_subcommand_from add list remove approve cover test sign report suggest backtest import export defaults help" -f -a "cover" -d 'Let a rule cover a terminal or standard input as well'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and not __fish_seen_subcommand_from add list remove approve cover test sign report suggest backtest import export defaults help" -f -a "test" -d 'Show what the rules would do with a command'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and not __fish_seen_subcommand_from add list remove approve cover test sign report suggest backtest import export defaults help" -f -a "sign" -d 'Sign the rules, policies and owners in force, for gates that go by nothing else'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and not __fish_seen_subcommand_from add list remove approve cover test sign report suggest backtest import export defaults help" -f -a "report" -d 'Show what the rules let through and denied, what people were asked about, and which rules nothing has hit'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and not __fish_seen_subcommand_from add list remove approve cover test sign report suggest backtest import export defaults help" -f -a "suggest" -d 'Suggest narrow rules for what was approved repeatedly'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and not __fish_seen_subcommand_from add list remove approve cover test sign report suggest backtest import export defaults help" -f -a "backtest" -d 'Show which recorded commands a rule would have matched'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and not __fish_seen_subcommand_from add list remove approve cover test sign report suggest backtest import export defaults help" -f -a "import" -d 'Add the rules of a file written by `rules export`'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and not __fish_seen_subcommand_from add list remove approve cover test sign report suggest backtest import export defaults help" -f -a "export" -d 'Print all rules as JSON'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and not __fish_seen_subcommand_from add list remove approve cover test sign report suggest backtest import export defaults help" -f -a "defaults" -d 'Add the built-in rule: whatever only looks may run without a person'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and not __fish_seen_subcommand_from add list remove approve cover test sign report suggest backtest import export defaults help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l exact -d 'Match exactly this text' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l glob -d 'Match word by word; * stands for part of one plain word, ** for any further plain words' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l regex -d 'Match this regular expression, anchored at both ends' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l work -d 'Work here: create and change regular files and directories below this directory of the target, and whatever only looks. Ends after 1h unless --ttl says otherwise, and after 24h at most' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l under -d 'With --looks: only what reads and lists below this directory of the target' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l trust-dir -d 'With --looks: files below this directory may configure programs, as .git/config does git' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l run -d 'With --work: run commands that match there, whatever they do: they run what the agent writes' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l stdin-sha256 -d 'Also with the standard input that has this SHA-256' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l ttl -d 'Expire after this time: 30m, 12h, 7d' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l target -d 'Only on targets that match' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l agent -d 'Only for agents that match' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l user -d 'Only as target users that match' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l cwd -d 'Only in working directories that match' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l reason -d 'Why the rule exists' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l looks -d 'Match every command that only looks: one rule in place of a hundred globs'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l loopback -d 'With --looks: the target\'s own addresses may be asked, as by curl http://localhost'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l terminal -d 'Also with a terminal, as `ssh -t` asks for one: in a pager or an editor there, more can be run'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l stdin -d 'Also with any standard input, unseen; not for what may run its input'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l deny -d 'Deny instead of allow; deny wins over allow'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from add" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from list" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from list" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from remove" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from remove" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from remove" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from remove" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from approve" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from approve" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from approve" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from approve" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from approve" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from cover" -l stdin-sha256 -d 'Also with the standard input that has this SHA-256' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from cover" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from cover" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from cover" -l terminal -d 'Also with a terminal, as `ssh -t` asks for one: in a pager or an editor there, more can be run'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from cover" -l stdin -d 'Also with any standard input, unseen; not for what may run its input'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from cover" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from cover" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from cover" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from test" -l target -d 'On this target' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from test" -l agent -d 'For this agent' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from test" -l user -d 'As this user' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from test" -l cwd -d 'In this working directory' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from test" -l shell -d 'In an account with this shell' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from test" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from test" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from test" -l stdin -d 'Read JSON lines {"command":"…","target":"…","agent":"…","user":"…","cwd":"…", "terminal":false} and answer each with one line'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from test" -l terminal -d 'With a terminal of its own'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from test" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from test" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from sign" -l key -d 'The key that signs what you allow: a private key file, or a .pub whose key the ssh-agent has [default: signing_key of the configuration]' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from sign" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from sign" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from sign" -l yes -d 'Do not ask'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from sign" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from sign" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from sign" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from report" -l since -d 'Over this time: 12h, 7d' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from report" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from report" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from report" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from report" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from report" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from suggest" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from suggest" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from suggest" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from suggest" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from suggest" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l exact -d 'Match exactly this text' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l glob -d 'Match word by word; * stands for part of one plain word, ** for any further plain words' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l regex -d 'Match this regular expression, anchored at both ends' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l work -d 'Work here: create and change regular files and directories below this directory of the target, and whatever only looks. Ends after 1h unless --ttl says otherwise, and after 24h at most' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l under -d 'With --looks: only what reads and lists below this directory of the target' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l trust-dir -d 'With --looks: files below this directory may configure programs, as .git/config does git' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l run -d 'With --work: run commands that match there, whatever they do: they run what the agent writes' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l stdin-sha256 -d 'Also with the standard input that has this SHA-256' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l ttl -d 'Expire after this time: 30m, 12h, 7d' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l target -d 'Only on targets that match' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l agent -d 'Only for agents that match' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l user -d 'Only as target users that match' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l cwd -d 'Only in working directories that match' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l reason -d 'Why the rule exists' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l looks -d 'Match every command that only looks: one rule in place of a hundred globs'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l loopback -d 'With --looks: the target\'s own addresses may be asked, as by curl http://localhost'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l terminal -d 'Also with a terminal, as `ssh -t` asks for one: in a pager or an editor there, more can be run'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l stdin -d 'Also with any standard input, unseen; not for what may run its input'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l deny -d 'Deny instead of allow; deny wins over allow'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from backtest" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from import" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from import" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from import" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from import" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from export" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from export" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from export" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from export" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from defaults" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from defaults" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from defaults" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from defaults" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from defaults" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "add" -d 'Add a rule'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the rules'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove a rule'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "approve" -d 'Add your approval to a rule: where a policy asks for several approvals, a rule allows only once it has as many'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "cover" -d 'Let a rule cover a terminal or standard input as well'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "test" -d 'Show what the rules would do with a command'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "sign" -d 'Sign the rules, policies and owners in force, for gates that go by nothing else'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "report" -d 'Show what the rules let through and denied, what people were asked about, and which rules nothing has hit'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "suggest" -d 'Suggest narrow rules for what was approved repeatedly'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "backtest" -d 'Show which recorded commands a rule would have matched'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "import" -d 'Add the rules of a file written by `rules export`'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "export" -d 'Print all rules as JSON'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "defaults" -d 'Add the built-in rule: whatever only looks may run without a person'
complete -c expacti -n "__fish_expacti_using_subcommand rules; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and not __fish_seen_subcommand_from add set list remove changes approve reject test help" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and not __fish_seen_subcommand_from add set list remove changes approve reject test help" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand policy; and not __fish_seen_subcommand_from add set list remove changes approve reject test help" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and not __fish_seen_subcommand_from add set list remove changes approve reject test help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and not __fish_seen_subcommand_from add set list remove changes approve reject test help" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and not __fish_seen_subcommand_from add set list remove changes approve reject test help" -f -a "add" -d 'Add a policy. For each command of a line the most specific match counts; what they ask adds up'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and not __fish_seen_subcommand_from add set list remove changes approve reject test help" -f -a "set" -d 'Add a policy. For each command of a line the most specific match counts; what they ask adds up'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and not __fish_seen_subcommand_from add set list remove changes approve reject test help" -f -a "list" -d 'List the policies'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and not __fish_seen_subcommand_from add set list remove changes approve reject test help" -f -a "remove" -d 'Remove a policy; one that asks for several approvals needs them for its removal, too'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and not __fish_seen_subcommand_from add set list remove changes approve reject test help" -f -a "changes" -d 'List the changes that wait for approval: to policies, rules and people'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and not __fish_seen_subcommand_from add set list remove changes approve reject test help" -f -a "approve" -d 'Approve a change that waits'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and not __fish_seen_subcommand_from add set list remove changes approve reject test help" -f -a "reject" -d 'Reject a change that waits'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and not __fish_seen_subcommand_from add set list remove changes approve reject test help" -f -a "test" -d 'Show which approvals a command would need'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and not __fish_seen_subcommand_from add set list remove changes approve reject test help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from add" -l type -d 'Who must approve' -r -f -a "any\t'One reviewer'
quorum\t'At least --min of --group'
all\t'Every member of --group'
role\t'At least --min with --role'"
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from add" -l min -d 'How many must approve' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from add" -l group -d 'Who may approve, by name' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from add" -l role -d 'The role that approvers need' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from add" -l match -d 'The commands it applies to; * matches every command' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from add" -l effect -d 'The commands it applies to by what they do, however they are spelt: deletes, writes, runs-unseen, network, changes:service; asked beside the policies for patterns. What is not understood may do anything' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from add" -l target -d 'Only on targets that match' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from add" -l user -d 'Only as target users that match' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from add" -l tag -d 'Only on targets with this tag; may be repeated, and then all tags are needed' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from add" -l hours -d 'Only in these hours of the day, in UTC: 22-6' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from add" -l min-level -d 'Only commands of this level or higher' -r -f -a "LOW\t'0 to 24'
MEDIUM\t'25 to 49'
HIGH\t'50 to 74'
CRITICAL\t'75 to 100'"
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from add" -l timeout -d 'How long people have to decide: 5s to 24h' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from add" -l escalate-to -d 'Who else is asked after --escalate-after' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from add" -l escalate-after -d 'When to ask them too' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from add" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from add" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from add" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from add" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from set" -l type -d 'Who must approve' -r -f -a "any\t'One reviewer'
quorum\t'At least --min of --group'
all\t'Every member of --group'
role\t'At least --min with --role'"
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from set" -l min -d 'How many must approve' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from set" -l group -d 'Who may approve, by name' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from set" -l role -d 'The role that approvers need' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from set" -l match -d 'The commands it applies to; * matches every command' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from set" -l effect -d 'The commands it applies to by what they do, however they are spelt: deletes, writes, runs-unseen, network, changes:service; asked beside the policies for patterns. What is not understood may do anything' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from set" -l target -d 'Only on targets that match' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from set" -l user -d 'Only as target users that match' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from set" -l tag -d 'Only on targets with this tag; may be repeated, and then all tags are needed' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from set" -l hours -d 'Only in these hours of the day, in UTC: 22-6' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from set" -l min-level -d 'Only commands of this level or higher' -r -f -a "LOW\t'0 to 24'
MEDIUM\t'25 to 49'
HIGH\t'50 to 74'
CRITICAL\t'75 to 100'"
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from set" -l timeout -d 'How long people have to decide: 5s to 24h' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from set" -l escalate-to -d 'Who else is asked after --escalate-after' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from set" -l escalate-after -d 'When to ask them too' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from set" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from set" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from set" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from set" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from list" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from list" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from remove" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from remove" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from remove" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from remove" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from changes" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from changes" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from changes" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from changes" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from changes" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from approve" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from approve" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from approve" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from approve" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from approve" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from reject" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from reject" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from reject" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from reject" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from reject" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from test" -l target -d 'On this target' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from test" -l user -d 'As this user' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from test" -l tag -d 'On a target with this tag; may be repeated' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from test" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from test" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from test" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from test" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "add" -d 'Add a policy. For each command of a line the most specific match counts; what they ask adds up'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the policies'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove a policy; one that asks for several approvals needs them for its removal, too'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "changes" -d 'List the changes that wait for approval: to policies, rules and people'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "approve" -d 'Approve a change that waits'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "reject" -d 'Reject a change that waits'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "test" -d 'Show which approvals a command would need'
complete -c expacti -n "__fish_expacti_using_subcommand policy; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand apply" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand apply" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand apply" -l prune -d 'Remove what the file does not name, of each kind that it names'
complete -c expacti -n "__fish_expacti_using_subcommand apply" -l dry-run -d 'Only say what would be done, and whose approval it would need'
complete -c expacti -n "__fish_expacti_using_subcommand apply" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand apply" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand apply" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand config; and not __fish_seen_subcommand_from show help" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand config; and not __fish_seen_subcommand_from show help" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand config; and not __fish_seen_subcommand_from show help" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand config; and not __fish_seen_subcommand_from show help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand config; and not __fish_seen_subcommand_from show help" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand config; and not __fish_seen_subcommand_from show help" -f -a "show" -d 'Print the effective values and where each came from'
complete -c expacti -n "__fish_expacti_using_subcommand config; and not __fish_seen_subcommand_from show help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand config; and __fish_seen_subcommand_from show" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand config; and __fish_seen_subcommand_from show" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand config; and __fish_seen_subcommand_from show" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand config; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "show" -d 'Print the effective values and where each came from'
complete -c expacti -n "__fish_expacti_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand webhook; and not __fish_seen_subcommand_from test help" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand webhook; and not __fish_seen_subcommand_from test help" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand webhook; and not __fish_seen_subcommand_from test help" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand webhook; and not __fish_seen_subcommand_from test help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand webhook; and not __fish_seen_subcommand_from test help" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand webhook; and not __fish_seen_subcommand_from test help" -f -a "test" -d 'Send a test message to every webhook of config.toml, or to one of them'
complete -c expacti -n "__fish_expacti_using_subcommand webhook; and not __fish_seen_subcommand_from test help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand webhook; and __fish_seen_subcommand_from test" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand webhook; and __fish_seen_subcommand_from test" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand webhook; and __fish_seen_subcommand_from test" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand webhook; and __fish_seen_subcommand_from test" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand webhook; and __fish_seen_subcommand_from test" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand webhook; and __fish_seen_subcommand_from help" -f -a "test" -d 'Send a test message to every webhook of config.toml, or to one of them'
complete -c expacti -n "__fish_expacti_using_subcommand webhook; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand doctor" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand doctor" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand doctor" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand doctor" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand setup" -l reviewer -d 'A user of this machine who reviews; may be repeated' -r
complete -c expacti -n "__fish_expacti_using_subcommand setup" -l key -d 'The public key with which that reviewer signs what they allow; one for each --reviewer' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand setup" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand setup" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand setup" -l user -d 'For the ssh configuration of this user\'s account'
complete -c expacti -n "__fish_expacti_using_subcommand setup" -l undo -d 'Take it out again; the service\'s data and settings stay'
complete -c expacti -n "__fish_expacti_using_subcommand setup" -l purge -d 'With --undo: remove the data, recordings, keys and settings as well'
complete -c expacti -n "__fish_expacti_using_subcommand setup" -s y -l yes -d 'Do not ask'
complete -c expacti -n "__fish_expacti_using_subcommand setup" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand setup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand setup" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand completions" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand completions" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand completions" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand completions" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand completions" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand man" -l out -d 'Write expacti.1 and one page per command to this directory' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand man" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand man" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand man" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand man" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand man" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand up" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand up" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand up" -l foreground -d 'Stay in the foreground'
complete -c expacti -n "__fish_expacti_using_subcommand up" -l detached -d 'Started by another `expacti up`: report on standard output when ready'
complete -c expacti -n "__fish_expacti_using_subcommand up" -l service -d 'As the service of this machine, or not at all'
complete -c expacti -n "__fish_expacti_using_subcommand up" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand up" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand up" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand status" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand status" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand status" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand status" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand status" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand down" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand down" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand down" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand down" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand down" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand broker" -l listen -d 'Where to listen for reviewers and gates' -r
complete -c expacti -n "__fish_expacti_using_subcommand broker" -l database -d 'The database: sqlite:PATH' -r
complete -c expacti -n "__fish_expacti_using_subcommand broker" -l recordings -d 'The directory for recordings' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand broker" -l tls-cert -d 'The certificate chain, PEM; without it the broker listens only on loopback addresses' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand broker" -l tls-key -d 'Its private key, PEM' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand broker" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand broker" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand broker" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand broker" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand broker" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and not __fish_seen_subcommand_from ca add list remove help" -l listen -d 'Where to listen for SSH' -r
complete -c expacti -n "__fish_expacti_using_subcommand gate; and not __fish_seen_subcommand_from ca add list remove help" -l default-target -d 'The target for clients that name none' -r
complete -c expacti -n "__fish_expacti_using_subcommand gate; and not __fish_seen_subcommand_from ca add list remove help" -l identity -d 'A private key the gate logs in to targets with; may be repeated' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand gate; and not __fish_seen_subcommand_from ca add list remove help" -l host-key -d 'The gate\'s host key; created if it does not exist' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand gate; and not __fish_seen_subcommand_from ca add list remove help" -l host-ca -d 'The key that signs the gate\'s host certificates, one for each target reached with ssh -J; created if it does not exist' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand gate; and not __fish_seen_subcommand_from ca add list remove help" -l name -d 'A name or address by which clients reach the gate, for its own host certificate; may be repeated [default: this machine\'s name]' -r
complete -c expacti -n "__fish_expacti_using_subcommand gate; and not __fish_seen_subcommand_from ca add list remove help" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand gate; and not __fish_seen_subcommand_from ca add list remove help" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand gate; and not __fish_seen_subcommand_from ca add list remove help" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and not __fish_seen_subcommand_from ca add list remove help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and not __fish_seen_subcommand_from ca add list remove help" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and not __fish_seen_subcommand_from ca add list remove help" -f -a "ca" -d 'Print the known_hosts line that makes agents trust the gate as every target'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and not __fish_seen_subcommand_from ca add list remove help" -f -a "add" -d 'Add a gate; its token is printed once'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and not __fish_seen_subcommand_from ca add list remove help" -f -a "list" -d 'List gates'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and not __fish_seen_subcommand_from ca add list remove help" -f -a "remove" -d 'Remove a gate'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and not __fish_seen_subcommand_from ca add list remove help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from ca" -l hosts -d 'The hosts the gate is trusted for, as in known_hosts' -r
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from ca" -l host-ca -d 'The key that signs the gate\'s host certificates' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from ca" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from ca" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from ca" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from ca" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from ca" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from add" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from add" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from add" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from add" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from list" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from list" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from remove" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from remove" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from remove" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from remove" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from help" -f -a "ca" -d 'Print the known_hosts line that makes agents trust the gate as every target'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from help" -f -a "add" -d 'Add a gate; its token is printed once'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from help" -f -a "list" -d 'List gates'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove a gate'
complete -c expacti -n "__fish_expacti_using_subcommand gate; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand target; and not __fish_seen_subcommand_from add key list remove help" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand target; and not __fish_seen_subcommand_from add key list remove help" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand target; and not __fish_seen_subcommand_from add key list remove help" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand target; and not __fish_seen_subcommand_from add key list remove help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand target; and not __fish_seen_subcommand_from add key list remove help" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand target; and not __fish_seen_subcommand_from add key list remove help" -f -a "add" -d 'Add a target'
complete -c expacti -n "__fish_expacti_using_subcommand target; and not __fish_seen_subcommand_from add key list remove help" -f -a "key" -d 'Print the key by which the service of this machine logs in, for authorized_keys of a target'
complete -c expacti -n "__fish_expacti_using_subcommand target; and not __fish_seen_subcommand_from add key list remove help" -f -a "list" -d 'List targets'
complete -c expacti -n "__fish_expacti_using_subcommand target; and not __fish_seen_subcommand_from add key list remove help" -f -a "remove" -d 'Remove a target'
complete -c expacti -n "__fish_expacti_using_subcommand target; and not __fish_seen_subcommand_from add key list remove help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from add" -l host-key -d 'Its host key, "ssh-ed25519 AAAA…", or a file with one per line; may be repeated' -r
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from add" -l tag -d 'A tag for policies and scores: production, staging …; may be repeated' -r
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from add" -l login -d 'A user that agents may log in as; may be repeated [default: any]' -r
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from add" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from add" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from add" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from add" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from key" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from key" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from key" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from key" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from key" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from list" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from list" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from remove" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from remove" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from remove" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from remove" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from help" -f -a "add" -d 'Add a target'
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from help" -f -a "key" -d 'Print the key by which the service of this machine logs in, for authorized_keys of a target'
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from help" -f -a "list" -d 'List targets'
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove a target'
complete -c expacti -n "__fish_expacti_using_subcommand target; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and not __fish_seen_subcommand_from add key list pin reset remove help" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and not __fish_seen_subcommand_from add key list pin reset remove help" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and not __fish_seen_subcommand_from add key list pin reset remove help" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and not __fish_seen_subcommand_from add key list pin reset remove help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and not __fish_seen_subcommand_from add key list pin reset remove help" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and not __fish_seen_subcommand_from add key list pin reset remove help" -f -a "add" -d 'Add a person; their token is printed once'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and not __fish_seen_subcommand_from add key list pin reset remove help" -f -a "key" -d 'Keys with which people sign what they allow'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and not __fish_seen_subcommand_from add key list pin reset remove help" -f -a "list" -d 'List people'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and not __fish_seen_subcommand_from add key list pin reset remove help" -f -a "pin" -d 'Set your PIN: from then on every allow, and every change, asks for it'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and not __fish_seen_subcommand_from add key list pin reset remove help" -f -a "reset" -d 'Forget keys and PIN of somebody who has lost them'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and not __fish_seen_subcommand_from add key list pin reset remove help" -f -a "remove" -d 'Remove a person: their token stops working at once'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and not __fish_seen_subcommand_from add key list pin reset remove help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from add" -l role -d 'What they may do' -r -f -a "admin\t'Decides and administers'
reviewer\t'Decides'
viewer\t'Only watches'"
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from add" -l key -d 'The public key with which they sign what they allow' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from add" -l unix-user -d 'The user of this machine who is this person, where `expacti setup` has made a service: no token is needed then' -r
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from add" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from add" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from add" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from add" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from key" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from key" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from key" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from key" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from key" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from key" -f -a "add" -d 'Add a key; from then on that person cannot allow anything without a signature'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from key" -f -a "list" -d 'List keys'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from key" -f -a "remove" -d 'Remove a key'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from key" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from list" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from list" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from pin" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from pin" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from pin" -l remove -d 'Do without a PIN again'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from pin" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from pin" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from pin" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from reset" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from reset" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from reset" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from reset" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from reset" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from remove" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from remove" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from remove" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from remove" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from help" -f -a "add" -d 'Add a person; their token is printed once'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from help" -f -a "key" -d 'Keys with which people sign what they allow'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from help" -f -a "list" -d 'List people'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from help" -f -a "pin" -d 'Set your PIN: from then on every allow, and every change, asks for it'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from help" -f -a "reset" -d 'Forget keys and PIN of somebody who has lost them'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove a person: their token stops working at once'
complete -c expacti -n "__fish_expacti_using_subcommand reviewer; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand agent; and not __fish_seen_subcommand_from add list remove help" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand agent; and not __fish_seen_subcommand_from add list remove help" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand agent; and not __fish_seen_subcommand_from add list remove help" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand agent; and not __fish_seen_subcommand_from add list remove help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c expacti -n "__fish_expacti_using_subcommand agent; and not __fish_seen_subcommand_from add list remove help" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand agent; and not __fish_seen_subcommand_from add list remove help" -f -a "add" -d 'Add an agent that logs in to the gate with a key or with certificates'
complete -c expacti -n "__fish_expacti_using_subcommand agent; and not __fish_seen_subcommand_from add list remove help" -f -a "list" -d 'List agents'
complete -c expacti -n "__fish_expacti_using_subcommand agent; and not __fish_seen_subcommand_from add list remove help" -f -a "remove" -d 'Remove an agent'
complete -c expacti -n "__fish_expacti_using_subcommand agent; and not __fish_seen_subcommand_from add list remove help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from add" -l key -d 'Its public key file' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from add" -l ca -d 'The public key file of the authority that signs its certificates' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from add" -l principal -d 'A principal that a certificate of this agent names; may be repeated [default: NAME]' -r
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from add" -l owner -d 'The person who answers for the agent, and so never decides on its commands; you, if you name nobody' -r
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from add" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from add" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from add" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from add" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from list" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from list" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from list" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from remove" -l broker -d 'The broker: unix:///path, http://host:port or https://host:port. Default: the broker of this machine' -r
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from remove" -l token-file -d 'A file with the token for the broker (or set EXPACTI_TOKEN)' -r -F
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from remove" -l json -d 'Print one JSON document instead of text for people'
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from remove" -s V -l version -d 'Print version'
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from help" -f -a "add" -d 'Add an agent that logs in to the gate with a key or with certificates'
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from help" -f -a "list" -d 'List agents'
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Remove an agent'
complete -c expacti -n "__fish_expacti_using_subcommand agent; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "review" -d 'Review commands in a terminal: a allows, d denies'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "pending" -d 'List the commands that wait for a decision'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "allow" -d 'Allow a command'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "deny" -d 'Deny a command'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "taint" -d 'Show and clear accounts that approved lines may have changed'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "pause" -d 'Hold every command of a session, whatever the rules allow'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "resume" -d 'Let the rules decide again in a paused session'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "kill" -d 'End a session: close its connection and deny what waits'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "wrap" -d 'Run a program with its SSH connections held for review'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "demo" -d 'See how it works, with two scripted agents and a simulated target'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "sessions" -d 'List sessions, newest first'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "watch" -d 'Show the live output of a session'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "replay" -d 'Replay the recording of a session'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "audit" -d 'Read, verify and export the tamper-evident log'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "risk" -d 'Score a command and explain the score (needs no broker)'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "rules" -d 'Manage rules: what is allowed or denied without a person'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "policy" -d 'Manage policies: how many approvals a command needs, and whose'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "apply" -d 'Make targets, agents, policies and rules what a file says'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "config" -d 'Show the configuration and where each value came from'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "webhook" -d 'Test webhooks: messages over HTTP when a command waits'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "doctor" -d 'Check this machine: ssh, directories, disk, broker, enforcement'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "setup" -d 'Make broker and gate a service of this machine (as root)'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "completions" -d 'Print a shell completion script'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "man" -d 'Print the manual page, or write all pages to a directory'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "up" -d 'Start the broker and the gate of this machine in the background'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "status" -d 'Show whether the broker and the gate are running'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "down" -d 'Stop the broker and the gate of this machine; deny what waits'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "broker" -d 'Run a team\'s broker'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "gate" -d 'Run a team\'s gate, or manage gates'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "target" -d 'Manage the targets of a team\'s gate'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "reviewer" -d 'Manage reviewers, admins and viewers, and their tokens'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "agent" -d 'Manage agents and the keys they log in with'
complete -c expacti -n "__fish_expacti_using_subcommand help; and not __fish_seen_subcommand_from review pending allow deny taint pause resume kill wrap demo sessions watch replay audit risk rules policy apply config webhook doctor setup completions man up status down broker gate target reviewer agent help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from taint" -f -a "list" -d 'List the accounts that may have changed'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from taint" -f -a "clear" -d 'Trust an account again'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from audit" -f -a "accept" -d 'Take the broker\'s log as it is now, whatever this machine has seen of it'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from audit" -f -a "log" -d 'Show the log'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from audit" -f -a "verify" -d 'Verify the hash chain; exit status 1 and the first bad entry when it is broken'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from audit" -f -a "prove" -d 'Write the proof that the log has its entries about a command'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from audit" -f -a "bundle" -d 'Write all that others need to check what happened with a command'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from audit" -f -a "key" -d 'Print the key of the log, for witnesses: NAME+ID+BASE64'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from audit" -f -a "witness" -d 'Cosign the heads of other brokers\' logs, over HTTP (c2sp.org/tlog-witness)'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from audit" -f -a "export" -d 'Write the whole log as canonical JSON lines, with a signed checkpoint at the end'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "add" -d 'Add a rule'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "list" -d 'List the rules'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "remove" -d 'Remove a rule'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "approve" -d 'Add your approval to a rule: where a policy asks for several approvals, a rule allows only once it has as many'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "cover" -d 'Let a rule cover a terminal or standard input as well'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "test" -d 'Show what the rules would do with a command'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "sign" -d 'Sign the rules, policies and owners in force, for gates that go by nothing else'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "report" -d 'Show what the rules let through and denied, what people were asked about, and which rules nothing has hit'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "suggest" -d 'Suggest narrow rules for what was approved repeatedly'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "backtest" -d 'Show which recorded commands a rule would have matched'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "import" -d 'Add the rules of a file written by `rules export`'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "export" -d 'Print all rules as JSON'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from rules" -f -a "defaults" -d 'Add the built-in rule: whatever only looks may run without a person'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "add" -d 'Add a policy. For each command of a line the most specific match counts; what they ask adds up'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "list" -d 'List the policies'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "remove" -d 'Remove a policy; one that asks for several approvals needs them for its removal, too'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "changes" -d 'List the changes that wait for approval: to policies, rules and people'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "approve" -d 'Approve a change that waits'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "reject" -d 'Reject a change that waits'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from policy" -f -a "test" -d 'Show which approvals a command would need'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "show" -d 'Print the effective values and where each came from'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from webhook" -f -a "test" -d 'Send a test message to every webhook of config.toml, or to one of them'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from gate" -f -a "ca" -d 'Print the known_hosts line that makes agents trust the gate as every target'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from gate" -f -a "add" -d 'Add a gate; its token is printed once'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from gate" -f -a "list" -d 'List gates'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from gate" -f -a "remove" -d 'Remove a gate'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from target" -f -a "add" -d 'Add a target'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from target" -f -a "key" -d 'Print the key by which the service of this machine logs in, for authorized_keys of a target'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from target" -f -a "list" -d 'List targets'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from target" -f -a "remove" -d 'Remove a target'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from reviewer" -f -a "add" -d 'Add a person; their token is printed once'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from reviewer" -f -a "key" -d 'Keys with which people sign what they allow'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from reviewer" -f -a "list" -d 'List people'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from reviewer" -f -a "pin" -d 'Set your PIN: from then on every allow, and every change, asks for it'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from reviewer" -f -a "reset" -d 'Forget keys and PIN of somebody who has lost them'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from reviewer" -f -a "remove" -d 'Remove a person: their token stops working at once'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from agent" -f -a "add" -d 'Add an agent that logs in to the gate with a key or with certificates'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from agent" -f -a "list" -d 'List agents'
complete -c expacti -n "__fish_expacti_using_subcommand help; and __fish_seen_subcommand_from agent" -f -a "remove" -d 'Remove an agent'
