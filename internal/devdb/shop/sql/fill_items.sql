insert into shop.order_items (order_id, line, product_id, quantity, unit_price)
select i.order_id, i.line, p.id, 1 + floor(shop_load.chance(i.key, 3) * shop_load.chance(i.key, 4) * 5)::integer, p.price
from (
    select o as order_id, line, o * 16 + line as key, shop_load.popular((select products from shop_load.sizes), o * 16 + line, 2) as product_id
    from generate_series($1::bigint, $2::bigint) as o,
        generate_series(1, 1 + floor(shop_load.chance(o, 31) * shop_load.chance(o, 32) * 11)::integer) as line
) i join shop.products p on p.id = i.product_id
order by i.order_id, i.line
