package feed

import (
	"context"
	"fmt"
)

// watch looks at what the log does not tell, as one text: roles with their memberships and settings; when the server has
// read its configuration; with whose rights views and functions read, as REASSIGN OWNED fires no event trigger; partitions
// that DETACH CONCURRENTLY hides long before it ends. Then which database it is, and since when it lives: a crash, which
// resets the statistics, takes back transactions that were not on disk, and their ids are given anew.
const watch = `
select json_build_array(
		(select sum(hashtextextended(r::text, 0)) from pg_roles r),
		(select sum(hashtextextended(m::text, 0)) from pg_auth_members m),
		(select sum(hashtextextended(s::text, 0)) from pg_db_role_setting s),
		pg_conf_load_time(),
		(select sum(hashtextextended(oid || ' ' || relowner, 0)) from pg_class where relkind in ('r', 'p', 'v') and relpersistence = 'p'),
		(select sum(hashtextextended(oid || ' ' || proowner, 0)) from pg_proc where prosecdef),
		(select sum(hashtextextended(inhrelid::text, 0)) from pg_inherits where inhdetachpending),
		(select oid from pg_database where datname = current_database()), pg_postmaster_start_time(),
		(select stats_reset from pg_stat_bgwriter)
	)::text`

func (h *heart) poll(ctx context.Context) error {
	polled := h.feed.options.Clock()
	var unlogged string
	if err := h.conn.QueryRow(ctx, watch).Scan(&unlogged); err != nil {
		return fmt.Errorf("look at what is not in the log: %w", err)
	}
	if err := h.source.check(ctx); err != nil {
		return err
	}
	h.polled = polled
	if h.unlogged != "" && h.unlogged != unlogged {
		h.feed.deliver.Lock()
		h.feed.handlers.RolesChanged()
		h.feed.deliver.Unlock()
	}
	h.unlogged = unlogged
	return nil
}
