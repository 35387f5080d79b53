# For the other scripts here: `frame HEADER` writes a frame without a body; `greet` says that every fence stands, and
# `greet FENCE ERRNO` that all do but that one.
frame() {
    length=${#1}
    printf 'ASY1'
    printf "$(printf '\\%03o\\%03o\\000\\000' $((length % 256)) $((length / 256)))"
    printf '\000\000\000\000\000\000\000\000%s' "$1"
}

greet() {
    fences=
    for fence in process_group descriptors memory_order resource_limits user user_namespace network_namespace \
        ipc_namespace file_system no_new_privileges landlock capabilities not_dumpable death_signal system_calls; do
        [ "$fence" = "${1:-}" ] && errno=$2 || errno=0
        fences="$fences,[\"$fence\",$errno]"
    done
    frame "{\"fences\":[${fences#,}]}"
}
