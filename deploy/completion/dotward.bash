# Completion of dotward for bash. Installed as share/bash-completion/completions/dotward.

_dotward() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command=${COMP_WORDS[1]:-} options= words=
  local types="A AAAA CAA CNAME DNSKEY DS HTTPS MX NS NSEC PTR SOA SRV SVCB TLSA TXT"
  COMPREPLY=()

  case $previous in
    --config | --socket)
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      return
      ;;
    --listen | --set | --zone)
      return
      ;;
    --upstream)
      # Of a running server by its name, else by a URL that nobody can guess.
      [[ $command != query ]] || words=$(dotward upstreams --json 2>/dev/null |
        grep -o '"name":"[^"]*"' | cut -d'"' -f4 | sort -u)
      mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
      return
      ;;
  esac

  if ((COMP_CWORD == 1)) && [[ $current != --* ]]; then
    words="run check config version help status stats upstreams slow cache why reload query healthcheck"
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
    return
  fi
  case $command in
    check | config) options="--config --set" ;;
    version | help) ;;
    status | stats | upstreams | slow | reload) options="--socket --config --set --json" ;;
    why)
      options="--socket --config --set --json"
      ((COMP_CWORD < 3)) || words=$types
      ;;
    query)
      options="--socket --config --set --json --upstream --do --cd"
      ((COMP_CWORD < 3)) || words=$types
      ;;
    healthcheck) options="--config --set --listen --socket" ;;
    cache)
      if ((COMP_CWORD == 2)); then
        words="lookup dump flush"
      else
        options="--socket --config --set --json"
        case ${COMP_WORDS[2]} in
          lookup) options+=" --do --cd" words=$types ;;
          flush) options+=" --zone --all" ;;
        esac
      fi
      ;;
    *) options="--config --set --listen --upstream" ;;
  esac
  [[ $current == --* ]] && words=$options
  [[ -n $words ]] || words=$options
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _dotward dotward
