"""Certificate authorities of a test's own, by the openssl command."""
import subprocess

import pace

CONFIGURATION = """
[ca]
default_ca = it
[it]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
default_crl_days = 30
policy = any
unique_subject = no
[any]
commonName = supplied
"""


class Authority:
    def __init__(self, folder, name="clients"):
        self.folder = folder / name
        self.folder.mkdir()
        self.ca = self.folder / "ca.pem"
        self.issued = 0
        self._openssl("req", "-x509", *self._key(False), "-keyout", "ca.key", "-out", "ca.pem",
                      "-subj", f"/CN={name} CA", "-days", "30",
                      "-addext", "keyUsage = critical, keyCertSign, cRLSign")
        (self.folder / "index.txt").write_text("")
        (self.folder / "serial").write_text("1000\n")
        (self.folder / "ca.cnf").write_text(CONFIGURATION)

    def issue(self, name, alternatives="", rsa=False, days=30):
        """The chain and the key, as files; `alternatives` as in "DNS:a.test,IP:127.0.0.1". With a
        negative number of days it has expired long ago.
        """
        self.issued += 1
        stem = f"{self.issued}"
        self._openssl("req", *self._key(rsa), "-keyout", f"{stem}.key", "-out", f"{stem}.csr",
                      "-subj", f"/CN={name}")
        extensions = ["basicConstraints = CA:FALSE", "authorityKeyIdentifier = keyid"]
        if alternatives:
            extensions.append(f"subjectAltName = {alternatives}")
        (self.folder / f"{stem}.ext").write_text("\n".join(extensions) + "\n")
        files = ["-in", f"{stem}.csr", "-out", f"{stem}.pem", "-extfile", f"{stem}.ext"]
        if days < 0:
            self._openssl(*self._as_ca, "-batch", "-notext", *files,
                          "-startdate", "20200101000000Z", "-enddate", "20200201000000Z")
        else:
            self._openssl("x509", "-req", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                          "-days", str(days), *files)
        return self.folder / f"{stem}.pem", self.folder / f"{stem}.key"

    def revoke(self, *certificates):
        """A file with the list of those that are revoked."""
        for certificate in certificates:
            self._openssl(*self._as_ca, "-revoke", str(certificate))
        self._openssl(*self._as_ca, "-gencrl", "-out", "crl.pem")
        return self.folder / "crl.pem"

    _as_ca = ("ca", "-config", "ca.cnf", "-keyfile", "ca.key", "-cert", "ca.pem")

    @staticmethod
    def _key(rsa):
        kind = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        return ["-newkey", *kind, "-nodes"]

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True,
                       timeout=pace.slow(30))
