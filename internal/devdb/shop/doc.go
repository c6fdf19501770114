// Package shop is the sample data of `slipstream dev`: the schema, rows and
// rules of a shop, and how to load them.
//
// The catalogue is open to all (role shop_anon); customers (role
// shop_customer, claim customer_id) see their own orders and place new ones;
// the API server logs in as shop_authenticator. All SQL is in the folder sql.
//
// The rows are the same on every machine. Imported by the root's dev command.
package shop
