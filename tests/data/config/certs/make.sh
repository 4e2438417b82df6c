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
self_signed clients-ca server.key 20200101000000Z 21200101000000Z 'basicConstraints = critical, CA:TRUE'
# revocation_list NAME NEXT
revocation_list() {
  openssl ca -gencrl -config "$work/ca.cnf" -keyfile server.key -cert clients-ca.pem \
    -crl_lastupdate 20200101000000Z -crl_nextupdate "$2" -out "$1.pem" 2> "$work/log" ||
    { cat "$work/log"; exit 1; }
}
revocation_list clients-crl 21200101000000Z
revocation_list old-crl 20210101000000Z
# Folders of certificates: one that is good, one whose second chain has no key, one without any.
mkdir -p more keyless empty
openssl ecparam -name prime256v1 -genkey -noout -out more/more.key
self_signed more more/more.key 20200101000000Z 21200101000000Z
mv more.pem more/
cp more/more.pem keyless/a.pem
cp more/more.key keyless/a.key
cp other.pem keyless/b.pem
echo 'No certificate lies here.' > empty/README
printf '%s' 'a secret that is only data for tests, in 48 bytes' | head -c 48 > ticket.secret
head -c 31 ticket.secret > short.secret
openssl pkcs8 -topk8 -v2 aes128 -passout pass:secret -in other.key -out encrypted.key
head -n 2 server.key > cut.key
echo 'This is not a certificate.' > text.pem
chmod 644 ./*.key ./*/*.key
