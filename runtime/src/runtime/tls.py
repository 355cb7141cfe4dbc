"""Mutual TLS for gRPC, when the settings name a certificate, a key and a certificate authority."""

from dataclasses import dataclass

import grpc

from runtime.settings import SharedSettings


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM bytes of one service's certificate, its key, and the authority its peers are checked against."""

    certificate: bytes
    key: bytes
    authority: bytes

    @classmethod
    def from_settings(cls, settings: SharedSettings) -> "Tls | None":
        """Read the files the settings name; None when they name none.

        Raises:
            ValueError: Only some of the three are named.
            OSError: A file cannot be read.
        """
        files = (settings.grpc_tls_cert_file, settings.grpc_tls_key_file, settings.grpc_tls_ca_file)
        if files == (None, None, None):
            return None
        certificate, key, authority = files
        if certificate is None or key is None or authority is None:
            raise ValueError("mutual TLS needs GATEPOST_GRPC_TLS_CERT_FILE, _KEY_FILE and _CA_FILE together")
        return cls(certificate.read_bytes(), key.read_bytes(), authority.read_bytes())

    def server_credentials(self) -> grpc.ServerCredentials:
        """Credentials that demand a client certificate of the authority."""
        return grpc.ssl_server_credentials(
            [(self.key, self.certificate)], root_certificates=self.authority, require_client_auth=True
        )

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Credentials that show our certificate and check the server's."""
        return grpc.ssl_channel_credentials(
            root_certificates=self.authority, private_key=self.key, certificate_chain=self.certificate
        )
