-- Two years of orders, ever more of them: ids grow with time, and the square
-- root makes the later ones come closer. Only the last weeks are still open.
insert into shop.orders (id, customer_id, status, shipping_address, note, placed_at, shipped_at)
select o.id, c.id, status::shop.order_status, c.address,
    case when shop_load.chance(o.id, 4) < 0.05 then shop_load.pick('{Please leave it with the neighbours.,Ring twice.,It is a present: no invoice please.,Call before delivery.}', o.id, 5) end,
    placed_at,
    case when status in ('shipped', 'delivered', 'returned') then placed_at + interval '1 hour' * (4 + floor(shop_load.chance(o.id, 6) * 68)) end
from (
    select n as id, shop_load.frequent((select customers from shop_load.sizes), n, 1) as customer_id,
        timestamptz '2024-01-01 00:00+00' + floor(730 * 86400 * sqrt(n::double precision / (select orders from shop_load.sizes))) * interval '1 second' as placed_at,
        case
            when shop_load.chance(n, 2) < 0.04 then 'cancelled'
            when n > (select orders from shop_load.sizes) * 0.98 then shop_load.pick('{pending,paid,packed,shipped}', n, 3)
            when shop_load.chance(n, 2) > 0.97 then 'returned'
            else 'delivered'
        end as status
    from generate_series($1::bigint, $2::bigint) as n
) o join shop.customers c on c.id = o.customer_id
order by o.id
