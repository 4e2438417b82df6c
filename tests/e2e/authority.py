"""Certificate authorities of a test's own, by the openssl command."""
import subprocess

import pace

REVOCATION = """
[ca]
default_ca = it
[it]
database = index.txt
default_md = sha256
default_crl_days = 30
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
        (self.folder / "revocation.cnf").write_text(REVOCATION)

    def issue(self, name, alternatives="", rsa=False, days=30):
        """The chain and the key, as files; `alternatives` as in "DNS:a.test,IP:127.0.0.1"."""
        self.issued += 1
        stem = f"{self.issued}"
        self._openssl("req", *self._key(rsa), "-keyout", f"{stem}.key", "-out", f"{stem}.csr",
                      "-subj", f"/CN={name}")
        extensions = ["basicConstraints = CA:FALSE", "authorityKeyIdentifier = keyid"]
        if alternatives:
            extensions.append(f"subjectAltName = {alternatives}")
        (self.folder / f"{stem}.ext").write_text("\n".join(extensions) + "\n")
        self._openssl("x509", "-req", "-in", f"{stem}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                      "-CAcreateserial", "-days", str(days), "-out", f"{stem}.pem",
                      "-extfile", f"{stem}.ext")
        return self.folder / f"{stem}.pem", self.folder / f"{stem}.key"

    def revoke(self, *certificates):
        """A file with the list of those that are revoked."""
        common = ["ca", "-config", "revocation.cnf", "-keyfile", "ca.key", "-cert", "ca.pem"]
        for certificate in certificates:
            self._openssl(*common, "-revoke", str(certificate))
        self._openssl(*common, "-gencrl", "-out", "crl.pem")
        return self.folder / "crl.pem"

    @staticmethod
    def _key(rsa):
        kind = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        return ["-newkey", *kind, "-nodes"]

    def _openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True,
                       timeout=pace.slow(30))
