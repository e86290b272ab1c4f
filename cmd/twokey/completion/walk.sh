
# _twokey_at WORD... finds what may stand behind these words: subs, opts, or an argument of a kind.
_twokey_at() {
  local word= at= value= pair= sub=
  _twokey_about ''
  for word in "$@"; do
    if [[ -n $value ]]; then
      [[ $word == '=' ]] || value=
      continue
    fi
    for pair in "${vals[@]}"; do
      [[ ${pair%%:*} != "$word" ]] || value=${pair#*:}
    done
    for sub in "${subs[@]}"; do
      if [[ $sub == "$word" ]]; then
        at="${at:+$at }$word"
        _twokey_about "$at"
        break
      fi
    done
  done
  if [[ -n $value ]]; then
    kind=$value subs=() opts=()
  fi
}
