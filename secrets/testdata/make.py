#!/usr/bin/env python3
"""Writes the vectors beside it from the specification in the package comment alone, with nothing of twokey's.

    python3 make.py            the files content/*.txt; needs openssl(1)
    python3 make.py AGE        the files file/*.txt too, with the age(1) program at AGE

The keys are those of the package comment's example.
"""
import base64, hashlib, hmac, json, os, subprocess, sys, tempfile

HOST = "AGE-SECRET-KEY-1"  # completed below
CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def bech32(hrp, data):
    """BIP 173, as age spells its keys."""
    def polymod(values):
        chk = 1
        for v in values:
            top = chk >> 25
            chk = (chk & 0x1FFFFFF) << 5 ^ v
            for i, g in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
                chk ^= g if top >> i & 1 else 0
        return chk
    bits = "".join(f"{b:08b}" for b in data)
    bits += "0" * (-len(bits) % 5)
    words = [int(bits[i:i + 5], 2) for i in range(0, len(bits), 5)]
    prefix = [ord(c) >> 5 for c in hrp] + [0] + [ord(c) & 31 for c in hrp]
    chk = polymod(prefix + words + [0] * 6) ^ 1
    return hrp + "1" + "".join(CHARSET[w] for w in words + [chk >> 5 * (5 - i) & 31 for i in range(6)])


def key_of(host):
    """HKDF-SHA256, RFC 5869: extract without salt, expand one block."""
    prk = hmac.new(bytes(32), host.encode(), hashlib.sha256).digest()
    return hmac.new(prk, b"twokey user file 1\x01", hashlib.sha256).digest()


def mac(covered, host=None):
    digest = hmac.new(key_of(host or HOST), covered, hashlib.sha256).digest()
    return b"mac " + base64.b64encode(digest).rstrip(b"=") + b"\n"


HOST = bech32("age-secret-key-", bytes(range(32))).upper()
OTHER = bech32("age-secret-key-", bytes(range(1, 33))).upper()


RECIPIENT = "age13aqvttdk3ujkyjh9kg2w5an6dmy5mq5a84a4uxk3hfhnugfc9p0sy5p2wh"  # age-keygen -y, of HOST
OTHERS_RECIPIENT = "age1q73he0q5yzfu3d64msd3p6rvksnrwjk3d2598mgtmlqt9wrdr37q2vrn72"  # of OTHER
SEED, OTHER_SEED = bytes(range(1, 33)), bytes(range(2, 34))
PURPOSE = b"twokey user file signature 1\n"


def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout


def signature(message, seed=SEED):
    """The public key and the signature, by RFC 8032. The key goes to openssl as RFC 8410 says."""
    with tempfile.TemporaryDirectory() as scratch:
        key, text = os.path.join(scratch, "key"), os.path.join(scratch, "text")
        with open(key, "wb") as f:
            f.write(bytes.fromhex("302e020100300506032b657004220420") + seed)
        with open(text, "wb") as f:
            f.write(message)
        private = ["-inkey", key, "-keyform", "DER"]
        public = openssl("pkey", "-in", key, "-inform", "DER", "-pubout", "-outform", "DER")[-32:]
        return public, openssl("pkeyutl", "-sign", "-rawin", *private, "-in", text)


def signer(seed=SEED):
    return "twokey-signer1" + base64.urlsafe_b64encode(signature(b"anything", seed)[0]).decode().rstrip("=")


def sig(covered, seed=SEED, recipient=RECIPIENT, purpose=PURPOSE):
    public, signed = signature(purpose + recipient.encode() + b"\n" + covered, seed)
    return b"sig " + hashlib.sha256(public).hexdigest()[:16].encode() + b" " + base64.b64encode(signed).rstrip(b"=") + b"\n"


def text(record):
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)


def content(body, header="twokey user 2\n"):
    if isinstance(body, str):
        body = body.encode()
    covered = header.encode() + body + b"\n"
    return covered + mac(covered)


def device(**changes):
    d = {"id": "0001020304050607", "name": "phone", "method": "totp",
         "secret": base64.b64encode(b"12345678901234567890").decode(), "digits": 6, "period": 30, "algorithm": "SHA1",
         "counter": 0, "issuer": "Example Ltd", "label": "alice@web1", "created": "2026-01-02T03:04:05Z", "until": "2027-06-30T22:00:00Z"}
    return d | changes


def recovery(**changes):
    r = {"id": "08090a0b0c0d0e0f", "key": base64.b64encode(bytes(range(32))).decode(),
         "hashes": [base64.b64encode(bytes.fromhex("5b7d54aaf6ddd8e3bed3e49a10e6d1d8")).decode()]}
    return r | changes


def record(**changes):
    r = {"user": "alice", "serial": 1767323045000, "phone": "+442079460958", "phone_confirmed": True, "devices": [device()],
         "recovery": recovery()}
    return r | changes


def without(d, *keys):
    return {k: v for k, v in d.items() if k not in keys}


def old_record(**changes):
    """The record of version 1."""
    return without(record(**changes), "phone", "phone_confirmed") | {"devices": [without(device(), "until")]}


FIRST = "twokey user 1\n"


def b64(n, byte=b"\x5a"):
    return base64.b64encode(byte * n).decode()


def one(**changes):
    return text(record(devices=[device(**changes)]))


def codes(**changes):
    return text(record(recovery=recovery(**changes)))


def sent(method, **changes):
    """A device that is sent something."""
    return device(id="2222222222222222", name=method, method=method, secret=b64(32), digits=0, period=0, algorithm="") | changes


def beside(*devices):
    return text(record(devices=[device(), *devices]))


GOOD = text(record())
HOTP = dict(method="hotp", period=0)
VECTORS = []  # name, expectation, content


def accepted(name, body):
    VECTORS.append((name, "accepted", content(body)))


def damaged(name, body):
    VECTORS.append((name, "damaged", content(body)))


def raw(name, expect, b):
    VECTORS.append((name, expect, b))


accepted("the example", GOOD)
accepted("no device and no recovery codes", text(record(devices=[], recovery=None)))
accepted("no phone number and no end", text(record(phone="", phone_confirmed=False, devices=[device(until="")])))
accepted("a phone number of 7 digits that is not confirmed", text(record(phone="+2901234", phone_confirmed=False)))
accepted("a phone number of 15 digits", text(record(phone="+123456789012345")))
accepted("an end in the year 9999", one(until="9999-12-31T23:59:59Z"))
VECTORS.append(("of version 1", "accepted", content(text(old_record()), FIRST)))
VECTORS.append(("of version 1 with nothing", "accepted", content(text(without(record(devices=[], recovery=None), "phone", "phone_confirmed")), FIRST)))
accepted("as much as there can be", text(record(
    serial=2**53 - 1,
    devices=[device(id=f"{i + 1:016x}", name=f"{i}" + "n" * 31, secret=b64(128), digits=12, period=300, algorithm="SHA512",
                    issuer='"' * 256, label="\\" * 256, created="9999-12-31T23:59:59Z") for i in range(10)],
    recovery=recovery(hashes=[b64(16, bytes([i])) for i in range(20)]))))
accepted("as little as there can be", one(id="0000000000000001", name="n", secret=b64(10), digits=4, period=10, issuer="", label="",
                                          created="1970-01-01T00:00:00Z"))
accepted("a counting device", one(**HOTP, counter=2**53 - 1, algorithm="SHA256", digits=8))
accepted("characters that other encoders escape", one(name="<phone> & co/\"\\'", issuer="\u00fcml\u00e4ut \U0001f511", label="<&>"))

accepted("a phone to which texts are sent", beside(sent("sms")))
accepted("a phone to which pushes are sent", text(record(phone="", phone_confirmed=False, devices=[sent("push")])))
accepted("pushes of a provider", beside(sent("push", provider="ntfy")))
accepted("pushes of a provider of 12 letters", beside(sent("push", provider="abcdefghixyz")))
accepted("a phone of both", beside(sent("sms"), sent("push", id="3333333333333333")))

for key in record():
    damaged(f"without {key}", text(without(record(), key)))
for key in device():
    damaged(f"device without {key}", text(record(devices=[without(device(), key)])))
for key in recovery():
    damaged(f"recovery without {key}", text(record(recovery=without(recovery(), key))))
damaged("an unknown field", text(record(note="")))
damaged("an unknown field of a device", one(note=""))
damaged("an unknown field of the recovery codes", codes(note=""))
damaged("a field twice", GOOD.replace('"user":', '"user":"bob","user":'))
damaged("a field in capitals", GOOD.replace('"user"', '"User"'))
damaged("fields in another order", text(dict(reversed(record().items()))))
damaged("a space at the beginning", " " + GOOD)
damaged("a space at the end", GOOD + " ")
damaged("a space after a colon", GOOD.replace('"user":', '"user": '))
damaged("a tab after a comma", GOOD.replace(',"serial"', ',\t"serial"'))
damaged("a line feed inside", GOOD.replace(',"serial"', ',\n"serial"'))
damaged("carriage return and line feed", GOOD + "\r")
damaged("a byte order mark", "\ufeff" + GOOD)
damaged("two records", GOOD + GOOD)
damaged("two records on two lines", GOOD + "\n" + GOOD)
damaged("no record", "")
damaged("null", "null")
damaged("an array", "[]")
damaged("not closed", GOOD[:-1])
damaged("not JSON", "user=alice")
damaged("a letter escaped", GOOD.replace('"alice"', '"\\u0061lice"'))
damaged("a solidus escaped", one(name="a/b").replace("a/b", "a\\/b"))
damaged("a less-than sign escaped", one(name="a<b").replace("a<b", "a\\u003cb"))
damaged("an umlaut escaped", one(name="\u00fc").replace("\u00fc", "\\u00fc"))
damaged("bytes that are not UTF-8", one(name="PHONE").encode().replace(b"PHONE", b"a\xffb"))
damaged("half a surrogate pair", GOOD.replace('"phone"', '"\\ud800"'))
damaged("serial 0", text(record(serial=0)))
damaged("serial -1", text(record(serial=-1)))
damaged("serial 2^53", text(record(serial=2**53)))
damaged("serial 2^64", text(record(serial=2**64)))
damaged("serial with a point", GOOD.replace("1767323045000", "1767323045000.0"))
damaged("serial with an exponent", GOOD.replace("1767323045000", "1767323045e3"))
damaged("serial with a leading zero", GOOD.replace("1767323045000", "01767323045000"))
damaged("serial as text", text(record(serial="1767323045000")))
damaged("serial null", text(record(serial=None)))
damaged("no user name", text(record(user="")))
damaged("a user name of 257 bytes", text(record(user="u" * 257)))
damaged("a user name with a line feed", text(record(user="alice\nroot")))
damaged("a user name with NUL", text(record(user="alice\0")))
damaged("devices null", text(record(devices=None)))
damaged("devices not an array", text(record(devices=device())))
damaged("a device null", text(record(devices=[None])))
damaged("eleven devices", text(record(devices=[device(id=f"{i + 1:016x}", name=str(i)) for i in range(11)])))
damaged("two devices of one name", text(record(devices=[device(), device(id="1111111111111111")])))
damaged("two devices of one id", text(record(devices=[device(), device(name="tablet")])))
damaged("id of 15 digits", one(id="000102030405060"))
damaged("id of 17 digits", one(id="00010203040506070"))
damaged("id of 18 digits", one(id="000102030405060708"))
damaged("id in capitals", one(id="000102030405060A"))
damaged("id not hexadecimal", one(id="000102030405060g"))
damaged("id zero", one(id="0" * 16))
damaged("no device name", one(name=""))
damaged("a device name of 33 bytes", one(name="n" * 33))
damaged("a device name of 17 characters in 34 bytes", one(name="\u00fc" * 17))
damaged("a device name with an escape sequence", one(name="\x1b[31mphone"))
damaged("a device name with DEL", one(name="phone\x7f"))
damaged("a device name with a C1 control", one(name="phone\u009b"))
damaged("a label that runs backwards", one(label="\u202ealice"))
damaged("an issuer with a line separator", one(issuer="a\u2028b"))
damaged("an issuer of 257 bytes", one(issuer="i" * 257))
damaged("a label of 257 bytes", one(label="l" * 257))
damaged("method unknown", one(method="fax"))
damaged("method in capitals", one(method="TOTP"))
damaged("no method", one(method=""))
damaged("a secret of 9 bytes", one(secret=b64(9)))
damaged("a secret of 129 bytes", one(secret=b64(129)))
damaged("no secret", one(secret=""))
damaged("secret null", one(secret=None))
damaged("secret without padding", one(secret=b64(20).rstrip("=")))
damaged("secret with the other alphabet", one(secret=b64(20, b"\xff").replace("/", "_")))
damaged("secret with bits that do not count", one(secret=b64(20)[:-2] + "p="))
damaged("secret with a line feed inside", one(secret=b64(20)[:8] + "\n" + b64(20)[8:]))
damaged("secret as numbers", one(secret=list(range(20))))
damaged("3 digits", one(digits=3))
damaged("13 digits", one(digits=13))
damaged("-6 digits", one(digits=-6))
damaged("digits with a point", GOOD.replace('"digits":6', '"digits":6.0'))
damaged("digits as text", one(digits="6"))
damaged("a period of 9 seconds", one(period=9))
damaged("a period of 301 seconds", one(period=301))
damaged("a period of 0 seconds", one(period=0))
damaged("a period of a counting device", one(method="hotp"))
damaged("a counter of a clock", one(counter=1))
damaged("counter -1", one(**HOTP, counter=-1))
damaged("counter 2^53", one(**HOTP, counter=2**53))
damaged("algorithm in small letters", one(algorithm="sha1"))
damaged("algorithm with a hyphen", one(algorithm="SHA-256"))
damaged("algorithm unknown", one(algorithm="MD5"))
damaged("created in another zone", one(created="2026-01-02T04:04:05+01:00"))
damaged("created with zone +00:00", one(created="2026-01-02T03:04:05+00:00"))
damaged("created with a fraction", one(created="2026-01-02T03:04:05.5Z"))
damaged("created with a fraction of nothing", one(created="2026-01-02T03:04:05.000Z"))
damaged("created in small letters", one(created="2026-01-02t03:04:05z"))
damaged("created with a space", one(created="2026-01-02 03:04:05Z"))
damaged("created on 30 February", one(created="2026-02-30T03:04:05Z"))
damaged("created before 1970", one(created="1969-12-31T23:59:59Z"))
damaged("never created", one(created=""))
damaged("no end at all", one(until=None))
damaged("an end in another zone", one(until="2027-01-02T04:04:05+01:00"))
damaged("an end with zone +00:00", one(until="2027-01-02T03:04:05+00:00"))
damaged("an end with a fraction", one(until="2027-01-02T03:04:05.5Z"))
damaged("an end in small letters", one(until="2027-01-02t03:04:05z"))
damaged("an end of a date only", one(until="2027-01-02"))
damaged("an end before 1970", one(until="1969-12-31T23:59:59Z"))
damaged("an end in the year 1", one(until="0001-01-01T00:00:00Z"))
damaged("an end as a number", one(until=1798859045))
damaged("phone null", text(record(phone=None)))
damaged("a phone number without a plus sign", text(record(phone="442079460958")))
damaged("a phone number with spaces", text(record(phone="+44 20 7946 0958")))
damaged("a phone number that begins with 0", text(record(phone="+02079460958")))
damaged("a phone number of 6 digits", text(record(phone="+290123")))
damaged("a phone number of 16 digits", text(record(phone="+1234567890123456")))
damaged("a phone number with a letter", text(record(phone="+44207946095x")))
damaged("a phone number of other digits", text(record(phone="+44207946095\u0668")))
damaged("a phone number with an extension", text(record(phone="+442079460958;ext=1")))
damaged("a plus sign", text(record(phone="+")))
damaged("a confirmation of no phone number", text(record(phone="")))
damaged("a confirmation as text", text(record(phone_confirmed="true")))
damaged("texts to no phone number", text(record(phone="", phone_confirmed=False, devices=[device(), sent("sms")])))
damaged("two phones to which texts are sent", beside(sent("sms"), sent("sms", id="3333333333333333", name="other")))
damaged("two phones to which pushes are sent", beside(sent("push"), sent("push", id="3333333333333333", name="other")))
for method in "sms", "push":
    damaged(f"{method} with a secret of 31 bytes", beside(sent(method, secret=b64(31))))
    damaged(f"{method} with a secret of 33 bytes", beside(sent(method, secret=b64(33))))
    damaged(f"{method} without a secret", beside(sent(method, secret="")))
    damaged(f"{method} with digits", beside(sent(method, digits=6)))
    damaged(f"{method} with a period", beside(sent(method, period=30)))
    damaged(f"{method} with an algorithm", beside(sent(method, algorithm="SHA1")))
    damaged(f"{method} with a counter", beside(sent(method, counter=1)))
damaged("pushes of no provider", beside(sent("push", provider="")))
damaged("pushes of a provider null", beside(sent("push", provider=None)))
damaged("pushes of a provider of 13 letters", beside(sent("push", provider="abcdefghijxyz")))
damaged("pushes of a provider in capitals", beside(sent("push", provider="Duo")))
damaged("pushes of a provider with a digit", beside(sent("push", provider="duo2")))
damaged("texts of a provider", beside(sent("sms", provider="duo")))
damaged("codes of a provider", one(provider="duo"))
damaged("method of texts in capitals", beside(sent("SMS")))
damaged("a confirmation null", text(record(phone_confirmed=None)))
damaged("recovery without a code", codes(hashes=[]))
damaged("recovery with codes null", codes(hashes=None))
damaged("21 recovery codes", codes(hashes=[b64(16, bytes([i])) for i in range(21)]))
damaged("a hash of 15 bytes", codes(hashes=[b64(15)]))
damaged("a hash of 17 bytes", codes(hashes=[b64(17)]))
damaged("a hash null", codes(hashes=[None]))
damaged("a recovery key of 31 bytes", codes(key=b64(31)))
damaged("a recovery key of 33 bytes", codes(key=b64(33)))
damaged("a recovery key of zeros", codes(key=b64(32, b"\0")))
damaged("a recovery id of zeros", codes(id="0" * 16))

whole = content(GOOD)
covered, last = whole[:whole.rindex(b"mac ")], whole[whole.rindex(b"mac "):]
raw("empty", "damaged", b"")
raw("only a line feed", "damaged", b"\n")
raw("not twokey's", "damaged", b"#!/bin/sh\n" + whole)
raw("without its last line feed", "damaged", whole[:-1])
raw("something behind it", "damaged", whole + b"x")
raw("only the first line", "not written here", b"twokey user 2\n")
raw("only the first line and its MAC", "damaged", b"twokey user 2\n" + mac(b"twokey user 2\n"))
raw("without a MAC", "not written here", covered)
raw("with a line behind it", "not written here", whole + b"\n")
raw("with another's MAC", "not written here", covered + mac(covered, OTHER))
raw("with the MAC of another record", "not written here", covered + mac(content(text(record(user="bob")))))
raw("with the MAC without its first line", "not written here", covered + mac(covered[14:]))
raw("with a MAC of zeros", "not written here", covered + b"mac " + b"A" * 43 + b"\n")
raw("with an empty MAC", "not written here", covered + b"mac \n")
raw("with a MAC cut short", "not written here", covered + last[:-2] + b"\n")
raw("with a MAC that is padded", "not written here", covered + last[:-1] + b"=\n")
raw("with a MAC in capitals", "not written here", covered + b"MAC" + last[3:])
raw("with a MAC and a space", "not written here", covered + last[:-1] + b" \n")
raw("with a MAC and a carriage return", "not written here", covered + last[:-1] + b"\r\n")
raw("with a MAC twice", "not written here", whole + last)
raw("with a MAC in the other alphabet", "not written here", covered + last.translate(bytes.maketrans(b"+/", b"-_")))
raw("changed", "not written here", whole.replace(b"alice", b"malic"))
good = sig(covered)
VECTORS.append(("signed", "accepted", covered + good))
first = content(text(old_record()), FIRST)
VECTORS.append(("of version 1 that is signed", "accepted", first[:first.rindex(b"mac ")] + sig(first[:first.rindex(b"mac ")])))
raw("signed by somebody", "signer unknown", covered + sig(covered, OTHER_SEED))
raw("signed by somebody with the id of a trusted key", "signature wrong", covered + good[:20] + sig(covered, OTHER_SEED)[20:])
raw("signed with another id", "signer unknown", covered + b"sig 0011223344556677" + good[20:])
raw("signed with the id in capitals", "signer unknown", covered + b"sig " + good[4:20].upper() + good[20:])
raw("signed for another host", "signature wrong", covered + sig(covered, recipient=OTHERS_RECIPIENT))
raw("signed for nobody", "signature wrong", covered + sig(covered, recipient=""))
raw("signed without the purpose", "signature wrong", covered + sig(covered, purpose=b""))
raw("signed for another purpose", "signature wrong", covered + sig(covered, purpose=b"twokey user file signature 2\n"))
raw("signed as another user", "signature wrong", covered.replace(b"alice", b"mallo") + good)
raw("signed with another serial", "signature wrong", covered.replace(b"1767323045000", b"1767323045001") + good)
raw("signed with the signature of version 1", "signature wrong", covered + sig(first[:first.rindex(b"mac ")]))
raw("signed and changed", "signature wrong", covered + good[:60] + bytes([good[60] ^ 1]) + good[61:])
raw("signed and padded", "signature wrong", covered + good[:-1] + b"==\n")
raw("signed with bits that do not count", "signature wrong", covered + good[:-2] + bytes([good[-2] + 1]) + b"\n")
raw("signed with a carriage return inside", "signature wrong", covered + good[:50] + b"\r" + good[50:])
raw("signed with a carriage return", "signature wrong", covered + good[:-1] + b"\r\n")
raw("signed with two spaces", "signature wrong", covered + good.replace(b" ", b"  "))
raw("signed without a signature", "signature wrong", covered + good[:21] + b"\n")
raw("signed with a signature of zeros", "signature wrong", covered + good[:21] + b"A" * 86 + b"\n")
raw("signed without an id", "signature wrong", covered + b"sig \n")
raw("signed behind a MAC", "damaged", whole + sig(whole))
raw("signed behind a wrong MAC", "damaged", covered + mac(covered, OTHER) + sig(covered + mac(covered, OTHER)))
raw("signed and with a MAC behind", "not written here", covered + good + last)
raw("signed and with the MAC of all behind", "damaged", covered + good + mac(covered + good))
raw("signed twice", "signature wrong", covered + good + good)
raw("signed what is no record", "damaged", b"twokey user 2\n{}\n" + sig(b"twokey user 2\n{}\n"))
raw("signed what is of another version", "another version", b"twokey user 3\n" + sig(b"twokey user 3\n"))
raw("of version 1 with the MAC of version 2", "not written here", content(GOOD).replace(b"user 2", b"user 1"))
raw("of version 2 with the MAC of version 1", "not written here", content(text(old_record()), FIRST).replace(b"user 1", b"user 2"))
raw("of version 1 with pushes", "damaged", content(text(old_record() | {"devices": [without(sent("push"), "until")]}), FIRST))
raw("of version 1 with a phone number", "damaged", content(text(old_record() | {"phone": "+442079460958"}), FIRST))
raw("of version 1 as version 2 has it", "damaged", content(GOOD, FIRST))
raw("of version 2 as version 1 had it", "damaged", content(text(old_record())))
raw("of version 1 with an end", "damaged", content(text(old_record() | {"devices": [device()]}), FIRST))
raw("of version 0", "another version", content(GOOD, "twokey user 0\n"))
raw("of version 3", "another version", content(GOOD, "twokey user 3\n"))
raw("of version 10", "another version", content(GOOD, "twokey user 10\n"))
raw("of version 01", "another version", content(GOOD, "twokey user 01\n"))
raw("of version 2 and a space", "another version", content(GOOD, "twokey user 2 \n"))
raw("of no version", "another version", b"twokey user \n" + mac(b"twokey user \n"))
assert b"+" in last or b"/" in last, "the MAC of the example must show the alphabet"


def write(folder, name, header, body):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name.replace(" ", "-").replace("/", "-").replace("'", "") + ".txt"), "wb") as f:
        f.write(header.encode() + b"\n" + body)


def encrypted(age, plain, *arguments, **options):
    return subprocess.run([age, *arguments], input=plain, check=True, capture_output=True, **options).stdout


def files(age, folder):
    with tempfile.TemporaryDirectory() as scratch:
        def recipient(host):
            path = os.path.join(scratch, "key")
            with open(path, "w") as f:
                f.write(host + "\n")
            return subprocess.run([age + "-keygen", "-y", path], check=True, capture_output=True, text=True).stdout.strip()
        ours, others = recipient(HOST), recipient(OTHER)
        assert (ours, others) == (RECIPIENT, OTHERS_RECIPIENT)
        bob = content(text(record(user="bob")))
        sealed = encrypted(age, whole, "-r", ours)
        for name, expect, body in (
                ("the example", "accepted", sealed),
                ("of version 1", "of version 1", encrypted(age, first, "-r", ours)),
                ("signed", "accepted", encrypted(age, covered + good, "-r", ours)),
                ("signed for another host", "signature wrong", encrypted(age, covered + sig(covered, recipient=others), "-r", ours)),
                ("signed and to another host", "another key", encrypted(age, covered + sig(covered, recipient=others), "-r", others)),
                ("to two recipients", "accepted", encrypted(age, whole, "-r", others, "-r", ours)),
                ("of another user", "another user", encrypted(age, bob, "-r", ours)),
                ("to another host", "another key", encrypted(age, whole, "-r", others)),
                ("made with the recipient only", "not written here", encrypted(age, covered + mac(covered, OTHER), "-r", ours)),
                ("armored", "damaged", encrypted(age, whole, "-a", "-r", ours)),
                ("something behind it", "damaged", sealed + b"\0"),
                ("twice", "damaged", sealed + sealed),
                ("without its last byte", "damaged", sealed[:-1]),
                ("only its header", "damaged", sealed[:sealed.index(b"\n---") + 49]),
                ("empty", "damaged", b""),
                ("not encrypted", "damaged", whole),
                ("of another version of age", "damaged", sealed.replace(b"org/v1", b"org/v2"))):
            write(folder, name, "expect: " + expect + "\n", base64.encodebytes(body))


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    assert len({v[0] for v in VECTORS}) == len(VECTORS)
    for name, expect, body in VECTORS:
        write(os.path.join(here, "content"), name, "expect: " + expect + "\n", body)
    if len(sys.argv) > 1:
        files(sys.argv[1], os.path.join(here, "file"))
    print(f"{len(VECTORS)} contents")
    print(HOST, whole.decode(), RECIPIENT, signer(), good.decode(), sep="\n")


main()
