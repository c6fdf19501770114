package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strconv"

	"github.com/slipstream-go/slipstream/internal/devdb/shop"
)

// claimsAround is the text of a token's claims before and after the customer's id.
func claimsAround() (before, after string) {
	return fmt.Sprintf(`{"role":%q,%q:`, shop.CustomerRole, shop.CustomerClaim), "}"
}

// token is a customer's, signed with HS256. It does not expire: the secret lives as long as the run.
func token(secret string, customer int) string {
	before, after := claimsAround()
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode([]byte(before+strconv.Itoa(customer)+after))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil))
}
