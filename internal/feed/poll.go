package feed

import (
	"context"
	"errors"
	"fmt"
)

// watch looks at what the log does not tell: roles with their memberships and settings, when the server has read its
// configuration, and whose rights views and functions have, as REASSIGN OWNED fires no event trigger; all as one text; whether the
// slot still is one that changes can be had from; and whether changes of the schema still are reported, since changes
// of event triggers themselves are not.
const watch = `
select (select sum(hashtextextended(r::text, 0)) from pg_roles r)::text
		|| ' ' || coalesce((select sum(hashtextextended(m::text, 0)) from pg_auth_members m)::text, '')
		|| ' ' || coalesce((select sum(hashtextextended(s::text, 0)) from pg_db_role_setting s)::text, '')
		|| ' ' || extract(epoch from pg_conf_load_time())
		|| ' ' || (select sum(hashtextextended(oid || ' ' || relowner, 0)) from pg_class where relkind in ('r', 'p', 'v') and relpersistence = 'p')::text
		|| ' ' || coalesce((select sum(hashtextextended(oid || ' ' || proowner, 0)) from pg_proc where prosecdef)::text, ''),
	coalesce((select restart_lsn is not null and wal_status <> 'lost' from pg_replication_slots where slot_name = $1), false),
	` + triggersInstalled

func (h *heart) poll(ctx context.Context) error {
	polled := h.feed.options.Clock()
	var roles string
	var slot, triggers bool
	if err := h.conn.QueryRow(ctx, watch, h.name).Scan(&roles, &slot, &triggers); err != nil {
		return fmt.Errorf("look at roles and at the slot: %w", err)
	}
	if !slot {
		return errors.New("the replication slot is lost: raise max_slot_wal_keep_size where that happens often")
	}
	if !triggers {
		return notInstalled
	}
	h.polled = polled
	if h.roles != "" && h.roles != roles {
		h.feed.deliver.Lock()
		h.feed.handlers.RolesChanged()
		h.feed.deliver.Unlock()
	}
	h.roles = roles
	return nil
}
