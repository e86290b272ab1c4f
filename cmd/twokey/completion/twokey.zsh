
_twokey() {
  local kind=
  local -a subs opts vals before
  before=("${(@)words[2,CURRENT-1]}")
  if [[ $PREFIX == --*=* ]]; then
    before+=("${PREFIX%%=*}")
    compset -P '*='
  fi
  _twokey_at "${before[@]}"
  if [[ $PREFIX == -* ]]; then
    compadd -- "${opts[@]}"
  elif ((${#subs} > 0)); then
    compadd -- "${subs[@]}"
  else
    case $kind in
    files) _files ;;
    folders) _files -/ ;;
    users) _users ;;
    groups) _groups ;;
    esac
  fi
}
_twokey "$@"
