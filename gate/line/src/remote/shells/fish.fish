# fish reads this after its configuration. A paste mode of its own, as fish's changes quotes and
# leading spaces. Functions are not indented, to keep the request short.
printf '\e]133;@NONCE@;H;fish;%s;%s;%s;check\a' "$version" (tty) $fish_pid
set -gu __expacti_m \e']133;@NONCE@;'
function __expacti_check
set -l lines (commandline -b)
set -l b "$lines"
set -l f -
string match -q '*vi*' -- "$fish_key_bindings"; and set f {$f}V
test (string length -- (printf '\xe2\x82\xac')) = 1; and set f {$f}U
if string match -qr '[\x01-\x08\x0b-\x1f\x7f\x{80}-\x{9f}]' -- $b
set f {$f}X
set lines ''
else if not commandline --is-valid
set f {$f}E
end
set b (string join \x1e -- $lines | string replace -a \t \x1f | string collect)
printf '%sK;%s;%s\a' $__expacti_m $f "$b"
end
function __expacti_start_paste
set -g __expacti_mode $fish_bind_mode
set fish_bind_mode expacti
end
function __expacti_stop_paste
set fish_bind_mode $__expacti_mode
end
function __expacti_newline
commandline -i \n
end
function __expacti_tab
commandline -i \t
end
function __expacti_keys
for mode in default insert visual
bind -M $mode \e\[200~ __expacti_start_paste
bind -M $mode \cx\c_ __expacti_check
bind -M $mode \r execute
end
bind -M expacti '' self-insert
bind -M expacti \n __expacti_newline
bind -M expacti \t __expacti_tab
bind -M expacti \r __expacti_newline
bind -M expacti \e\[201~ __expacti_stop_paste
end
function __expacti_wrap
functions -q fish_prompt; or fish_prompt >/dev/null 2>&1
functions fish_prompt | string match -q '*__expacti_user_prompt*'; and return
functions -e __expacti_user_prompt
functions -c fish_prompt __expacti_user_prompt
function fish_prompt
set -l __expacti_status $status
printf '%sA\a' $__expacti_m
__expacti_return $__expacti_status
__expacti_user_prompt
printf '%sB\a' $__expacti_m
end
end
function __expacti_return
return $argv[1]
end
function __expacti_prompt --on-event fish_prompt
set -l s $status
printf '%sD;%s\a%sW;%s\a' $__expacti_m $s $__expacti_m (string escape --style=url -- $PWD)
__expacti_keys
__expacti_wrap
end
function __expacti_preexec --on-event fish_preexec
printf '%sC\a' $__expacti_m
end
