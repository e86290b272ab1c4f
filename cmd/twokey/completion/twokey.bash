
_twokey() {
  local kind= current=$2
  local -a subs opts vals before=("${COMP_WORDS[@]:1:COMP_CWORD-1}")
  # Readline takes --flag=value for three words.
  [[ $current != = ]] || { before+=(=); current=; }
  _twokey_at "${before[@]}"
  case $kind in
  files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
  folders) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
  users) mapfile -t COMPREPLY < <(compgen -u -- "$current") ;;
  groups) mapfile -t COMPREPLY < <(compgen -g -- "$current") ;;
  *) COMPREPLY=() ;;
  esac
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "${opts[*]}" -- "$current")
  elif ((${#subs[@]} > 0)); then
    mapfile -t COMPREPLY < <(compgen -W "${subs[*]}" -- "$current")
  fi
}
complete -F _twokey twokey
