"""What real logs, code and documents hold: values in odd surroundings, and what only looks like one."""

from __future__ import annotations

import pytest

from processors.redaction.detection.detector import Detector
from processors.redaction.detection.loader import load_rules
from processors.redaction.knowledge.entities import load_types
from processors.redaction.knowledge.treatment import Treatment
from processors.redaction.texts.layers import Finder

FINDER = Finder(Detector(load_rules()))
ALL = Treatment(frozenset(load_types()))

LEFT_ALONE = (
    # Passwords and secrets.
    "PASS: gdb.base/align-c++.exp: get integer",
    "        --- PASS: TestOutputWithSubtest/sub_test/sub2 (0.00s)",
    'it -v "$PWD":/usr/local/apache2/htdocs/ img',
    "password: {{ $password | b64enc | quote }}",
    'PGPASSWORD="#{pass}" psql',
    "AND password = '#{params[:password]}'",
    "password_encryption = scram-sha-256\t# scram-sha-256 or md5",
    "POSTGRES_PASSWORD=mysecretpassword postgres -c shared_buffers=256MB",
    'PASS="\\x1b[32mPASS"',
    "(`7za a -ppassword test.7z ...`)",
    'Senha para "%s%s@%s": ',
    "`*PASSWORD*`,\n  `*KEY*`, `*AUTH*`",
    "-Des.password=\n        -Dkb.url=http://kibana:5601",
    "`REDIS_HOST_PASSWORD`, `SMTP_PASSWORD`, `OBJECTSTORE_S3_KEY`, and",
    "password hash: $argon2id$v=19$m=65536",
    "github.com/goji/httpauth,v0.0.0-20160601135302-2da839ab0f4d,h1:lB",
    "TIOCCLRVERAUTH                    = 0x2000741d",
    "if len(key) != x25519PublicKeySize {",
    "and (key = 'NewLabelKey2', value = 'NewLabelValue2')",
    "Add file (GnuPG key: 0x7EC2DBB6F4DBF434)",
    "https://codecov.io/gh/x/y/branch/main/graph/badge.svg?token=Wm7UEwgiZu",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "The 0xA42704B92866382A key can be revoked by 0xBE3893CB843D0FE70C",
    "--- FAIL: TestPassword (0.01s)",
    "Run actions/cache@v4 with key: Linux-node-8f14e45fceea167a5a36dedd4bea2543",
    "Cache restored from key: v1-deps-8f14e45fceea167a",
    # Addresses of machines and mailboxes.
    "memcachedクライアントがバージョン1.6.4.99に更新",
    "Nummer 3.2.1.5 des Anhangs",
    "Per 8.1.2.2 Connection-Specific",
    "annotations@4.1.1.4?type=jar",
    "Git 1.8.1.5 Release Notes",
    "(rfc4880:5.2.3.16)",
    "/releases/25.0.0.12/full/Dockerfile",
    "RFC 5280, 4.2.1.10",
    "HTTP-network fetch step 12.1.1.3",
    "BP 2: ptype F1::F2",
    # Names.
    "(James M. Greene)",
    "the M. When the request",
    "Sehr geehrter Herr Bundeskanzler,",
    "fullName: Human readable version string",
    "firstName=Vorname\nlastName=Nachname\naddress=Adresse",
    # Cards.
    "Received block blk_-3657665801189425193 src: /x",
    "https://news.example/detail/5279286413232198.html",
    "quanta 2650 1514 1514 1514 1514",
    "2e54 4820 5858 4420 3120 2241  .TH XXD",
    # Telephone numbers.
    "03-17 16:14:07.860  2227  2227 I PhoneStatusBar: set",
    "https://news.example/item?id=22153034) 回答提问《作为手机开发者",
    "arn:aws:ssm-contacts:us-east-2:111122223333:contact/x",
)
FOUND = (
    ("aws ssm put-parameter --name /acme/secret --value 3nwitkz8hnyaoduca1iwzk3s", "3nwitkz8hnyaoduca1iwzk3s"),
    ("db_pass = 'cPcyDHXKYKYQ'", "cPcyDHXKYKYQ"),
    ("PGPASSWORD=EIvihEeCIWya psql", "EIvihEeCIWya"),
    ("postgresql://app:P@ssw0rd143@db.example.com:5432/main", "P@ssw0rd143"),
    ("User Id=sa;Password=Ember681#;", "Ember681#"),
    ('#define WIFI_PASS "meadow_maple80"', "meadow_maple80"),
    ("4242 4242 4242 4242 1227", "4242 4242 4242 4242"),
    ("https://x-access-token:8uOjfIUTnMhYi9JmgZmaZDw98LU5@github.com/o/r.git", "8uOjfIUTnMhYi9JmgZmaZDw98LU5"),
    ('var dbPassword = @"B54RGrN7bgUm1zwR";', "B54RGrN7bgUm1zwR"),
    (
        'echo "d8a9368db8f233a33951c5a83da3929add229251" | gh auth login --with-token',
        "d8a9368db8f233a33951c5a83da3929add229251",
    ),
    ("mật khẩu: Meadow4486$", "Meadow4486$"),
    ("connect to 5.6.7.8 first", "5.6.7.8"),
    ("server 3.4.5.6:8080 down", "3.4.5.6"),
    ("client 1.2.9.4 - - [07/Mar/2004]", "1.2.9.4"),
    ("resolver 8.8.8.8", "8.8.8.8"),
    ("answered by 10.1.2.3", "10.1.2.3"),
    ("selon M. Dupont,", "Dupont"),
    ("UnionPay card 6212345678900000003", "6212345678900000003"),
)


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_left_alone(text: str) -> None:
    assert [text[found.start : found.end] for found in FINDER.find(text, ALL)] == []


@pytest.mark.parametrize(("text", "value"), FOUND)
def test_found(text: str, value: str) -> None:
    assert value in [text[found.start : found.end] for found in FINDER.find(text, ALL)]
