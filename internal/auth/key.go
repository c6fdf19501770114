package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws/jwsbb"
)

const minSecretBytes = 32 // RFC 7518 section 3.2: as long as the hash

var (
	hmacAlgorithms    = []string{"HS256", "HS384", "HS512"}
	rsaAlgorithms     = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	ed25519Algorithms = []string{"EdDSA", "Ed25519"} // RFC 8037 and RFC 9864
)

// supported is the list of algorithms; "none" is not on it.
func supported(alg string) bool {
	switch alg {
	case "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
		"ES256", "ES384", "ES512", "EdDSA", "Ed25519":
		return true
	}
	return false
}

// key verifies signatures of the algorithms that its type and its alg member
// allow, and of no other: the token does not get to choose.
type key struct {
	id         string
	hasID      bool
	algorithms []string
	material   any // []byte, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// secretKey is the key of a plain secret: HS256 only, as in PostgREST.
func secretKey(secret []byte) (key, error) {
	if len(secret) < minSecretBytes {
		return key{}, fmt.Errorf("the JWT secret must be at least %d characters long", minSecretBytes)
	}
	return key{algorithms: []string{"HS256"}, material: secret}, nil
}

// fits tells whether the key may verify the token: by kid if it has one, as
// PostgREST does, and by algorithm.
func (k key) fits(t *token) bool {
	if t.hasKid && (!k.hasID || k.id != t.kid) {
		return false
	}
	return slices.Contains(k.algorithms, t.alg)
}

// verify checks the payload's signature with every key that fits.
func verify(keys []key, t *token) error {
	fitting := false
	for _, k := range keys {
		if !k.fits(t) {
			continue
		}
		fitting = true
		if jwsbb.Verify(k.material, t.alg, []byte(t.signed), t.signature) == nil {
			return nil
		}
	}
	if !fitting {
		return errNoKey("No suitable key was found to decode the JWT")
	}
	return errNoKey("None of the keys was able to decode the JWT")
}

// newKey reads a JWK (RFC 7517). Errors never contain a part of the key.
func newKey(raw []byte) (key, error) {
	parsed, err := jwk.ParseKey(raw)
	if err != nil {
		// The library's reason may quote the key.
		return key{}, errors.New("not a JWK of a known type with valid parameters (RSA keys have 2048 bits or more)")
	}
	if err := usable(parsed); err != nil {
		return key{}, err
	}
	public, err := parsed.PublicKey()
	if err != nil {
		return key{}, errors.New("no public key can be derived")
	}
	var k key
	if err := jwk.Export(public, &k.material); err != nil {
		return key{}, errors.New("the key's parameters are invalid")
	}
	if k.algorithms, err = algorithmsOf(k.material); err != nil {
		return key{}, err
	}
	if alg, ok := parsed.Algorithm(); ok {
		if !slices.Contains(k.algorithms, alg.String()) {
			return key{}, errors.New("its alg does not fit its type or is not supported")
		}
		k.algorithms = []string{alg.String()}
	}
	k.id, k.hasID = parsed.KeyID()
	return k, nil
}

// usable refuses keys whose owner meant them for something else.
func usable(k jwk.Key) error {
	if use, ok := k.KeyUsage(); ok && use != "sig" {
		return errors.New(`its use is not "sig"`)
	}
	if ops, ok := k.KeyOps(); ok && !slices.Contains(ops, jwk.KeyOpVerify) {
		return errors.New(`its key_ops lack "verify"`)
	}
	return nil
}

func algorithmsOf(material any) ([]string, error) {
	switch m := material.(type) {
	case []byte:
		if len(m) < minSecretBytes {
			return nil, fmt.Errorf("a symmetric key must be at least %d bytes long", minSecretBytes)
		}
		return hmacAlgorithms, nil
	case *rsa.PublicKey:
		return rsaAlgorithms, nil
	case *ecdsa.PublicKey:
		switch m.Curve {
		case elliptic.P256():
			return []string{"ES256"}, nil
		case elliptic.P384():
			return []string{"ES384"}, nil
		case elliptic.P521():
			return []string{"ES512"}, nil
		}
	case ed25519.PublicKey:
		return ed25519Algorithms, nil
	}
	return nil, errors.New("its type or curve is not supported")
}
