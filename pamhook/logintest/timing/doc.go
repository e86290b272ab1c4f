// Package timing measures whether the time that a refusal takes tells why it was one. `make timing` runs it: hundreds of logins of each
// kind, through libpam, the module and the helper, in random order. What `make test` runs of it asserts no times. It has tests only.
//
// For any two kinds of people a stranger could guess by the time alone which of them one login belongs to. How often he is right is the
// AUC, the area under the curve of that guess: 0.5 is a coin, 1 is always.
package timing
