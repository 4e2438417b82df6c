#!/bin/sh
# Makes the certificates and keys of this folder anew. They guard nothing: they are data for tests of
# configuration files, with dates that no test outlives (but for those that are meant to be wrong).
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/ca.cnf" <<END
[ca]
default_ca = it
[it]
database = $work/index.txt
serial = $work/serial
new_certs_dir = $work
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
END
: > "$work/index.txt"
echo 01 > "$work/serial"

# self_signed NAME KEY START END [EXTENSIONS]
self_signed() {
  openssl req -new -key "$2" -subj "/CN=$1.example.com" -out "$work/request.csr"
  printf '%s\n' "${5-subjectAltName = DNS:$1.example.com}" > "$work/extensions"
  openssl ca -batch -notext -config "$work/ca.cnf" -selfsign -keyfile "$2" -in "$work/request.csr" \
    -extfile "$work/extensions" -startdate "$3" -enddate "$4" -out "$1.pem" 2> "$work/log" ||
    { cat "$work/log"; exit 1; }
}

openssl ecparam -name prime256v1 -genkey -noout -out server.key
openssl ecparam -name prime256v1 -genkey -noout -out other.key
self_signed server server.key 20200101000000Z 21200101000000Z
self_signed other other.key 20200101000000Z 21200101000000Z
self_signed nameless other.key 20200101000000Z 21200101000000Z ''
self_signed expired server.key 20190101000000Z 20200101000000Z
self_signed future server.key 20990101000000Z 21000101000000Z
openssl pkcs8 -topk8 -v2 aes128 -passout pass:secret -in other.key -out encrypted.key
head -n 2 server.key > cut.key
echo 'This is not a certificate.' > text.pem
chmod 644 ./*.key
