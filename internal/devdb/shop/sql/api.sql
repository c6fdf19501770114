-- What the API offers besides the tables: views, functions, and who may do what.

create view shop.product_ratings as
select product_id, count(*) as reviews, round(avg(rating), 2) as rating
from shop.reviews
group by product_id;
comment on view shop.product_ratings is 'Number and average of the reviews of each product that has any';
comment on column shop.product_ratings.rating is 'Average stars, 1 to 5';

create view shop.order_totals as
select o.id as order_id, o.customer_id, count(*) as lines, sum(i.quantity) as pieces, sum(i.quantity * i.unit_price) as total
from shop.orders o join shop.order_items i on i.order_id = o.id
group by o.id;
comment on view shop.order_totals is 'What orders come to. Customers see only their own';
comment on column shop.order_totals.total is 'In euro';

create materialized view shop.best_sellers as
select rank() over (order by sum(quantity) desc, product_id) as rank, product_id,
    sum(quantity) as sold, sum(quantity * unit_price) as revenue
from shop.order_items
group by product_id
order by rank
limit 1000;
comment on materialized view shop.best_sellers is 'The thousand products that sold most, as of the last refresh';
comment on column shop.best_sellers.rank is '1 is the best';
comment on column shop.best_sellers.sold is 'Pieces';
comment on column shop.best_sellers.revenue is 'In euro';
create unique index best_sellers_product_id_idx on shop.best_sellers (product_id);
create index best_sellers_rank_idx on shop.best_sellers (rank);

-- Computed fields: columns that are asked for by name.

create function shop.rating(shop.products) returns numeric
language sql stable
return (select round(avg(r.rating), 2) from shop.reviews r where r.product_id = $1.id);
comment on function shop.rating is 'Average stars of the product''s reviews, 1 to 5; null without any';

create function shop.in_stock(shop.products) returns boolean
language sql stable
return $1.active and $1.stock > 0;
comment on function shop.in_stock is 'Whether the product can be ordered and delivered now';

create function shop.total(shop.orders) returns numeric
language sql stable
return (select sum(i.quantity * i.unit_price) from shop.order_items i where i.order_id = $1.id);
comment on function shop.total is 'What the order comes to, in euro';

-- Computed relationships: embedded like those that foreign keys make.

create function shop.parent(shop.categories) returns setof shop.categories rows 1
language sql stable
begin atomic
    select c.* from shop.categories c where c.id = $1.parent_id;
end;
comment on function shop.parent is 'The category above';

create function shop.children(shop.categories) returns setof shop.categories
language sql stable
begin atomic
    select c.* from shop.categories c where c.parent_id = $1.id;
end;
comment on function shop.children is 'The categories below';

create function shop.similar_products(shop.products) returns setof shop.products rows 10
language sql stable
begin atomic
    select p.* from shop.products p
    where p.category_id = $1.category_id and p.id <> $1.id and p.active
    order by abs(p.price - $1.price), p.id
    limit 10;
end;
comment on function shop.similar_products is 'Ten products of the same category, those of similar price first';

-- Functions of the API.

create function shop.search_products(query text, category text default null, max_price numeric default null)
returns setof shop.products rows 200
language sql stable
begin atomic
    select p.* from shop.products p
    where p.search @@ websearch_to_tsquery('english', query)
        and p.active
        and (max_price is null or p.price <= max_price)
        and (category is null or p.category_id in (
            with recursive tree (id) as (
                select c.id from shop.categories c where c.slug = category
                union all
                select c.id from shop.categories c join tree on c.parent_id = tree.id
            )
            select id from tree
        ))
    order by ts_rank(p.search, websearch_to_tsquery('english', query)) desc, p.id;
end;
comment on function shop.search_products is
'Finds products by their words
The query may have "phrases", or, and -exclusions. category is the slug of a category, those below it included; max_price is in euro.';

create function shop.top_products(n integer default 10) returns setof shop.products rows 10
language sql stable
begin atomic
    select p.* from shop.products p join shop.best_sellers b on b.product_id = p.id
    order by b.rank
    limit n;
end;
comment on function shop.top_products is 'The n products that sold most';

-- Claims are absent outside the API and empty for visitors.
create function shop_private.current_customer_id() returns bigint
language sql stable
return (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'customer_id')::bigint;
comment on function shop_private.current_customer_id is 'The customer that the request''s token names; null for others';

create function shop.place_order(items jsonb, note text default null) returns shop.orders
language plpgsql volatile security invoker
as $$
declare
    placed shop.orders;
begin
    if jsonb_typeof(items) is distinct from 'array' or items = '[]' then
        raise sqlstate 'PT400' using
            message = 'items must be a list of products and quantities',
            hint = 'For example: [{"product_id": 1, "quantity": 2}]';
    end if;
    insert into shop.orders (customer_id, shipping_address, note)
    select c.id, c.address, place_order.note
    from shop.customers c
    where c.id = shop_private.current_customer_id()
    returning * into placed;
    if not found then
        raise sqlstate 'PT403' using message = 'Only customers can order';
    end if;
    insert into shop.order_items (order_id, line, product_id, quantity)
    select placed.id, i.line, i.product_id, i.quantity
    from rows from (jsonb_to_recordset(items) as (product_id bigint, quantity integer))
        with ordinality as i (product_id, quantity, line);
    return placed;
end
$$;
comment on function shop.place_order is
'Places an order for the customer who asks
items is a list of {"product_id", "quantity"}. The order goes to the customer''s address at today''s prices; 409 when the stock does not suffice.';

-- Customers say what they want; price and stock are the shop's matter.
create function shop_private.take_stock() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    update shop.products p set stock = p.stock - new.quantity
    where p.id = new.product_id and p.active and p.stock >= new.quantity
    returning p.price into new.unit_price;
    if not found then
        raise sqlstate 'PT409' using
            message = format('Product %s is not available in that quantity', new.product_id);
    end if;
    return new;
end
$$;
create trigger take_stock before insert on shop.order_items
for each row execute function shop_private.take_stock();

-- Who may do what. The subqueries make PostgreSQL ask for the customer once per
-- statement, not once per row.

grant usage on schema shop to shop_anon;
grant select on shop.categories, shop.brands, shop.products, shop.collections, shop.product_collections,
    shop.reviews, shop.product_ratings, shop.best_sellers to shop_anon;

grant usage on schema shop_private to shop_customer;
grant select on shop.customers, shop.orders, shop.order_items to shop_customer;
grant update (name, phone, address, newsletter) on shop.customers to shop_customer;
grant insert (customer_id, shipping_address, note), update (note) on shop.orders to shop_customer;
grant insert (order_id, line, product_id, quantity) on shop.order_items to shop_customer;
grant insert (product_id, customer_id, author, rating, title, body), update (rating, title, body), delete
    on shop.reviews to shop_customer;
revoke execute on function shop.place_order from public;
grant execute on function shop.place_order to shop_customer;

alter table shop.customers enable row level security;
create policy own on shop.customers to shop_customer
    using (id = (select shop_private.current_customer_id()));

alter table shop.orders enable row level security;
create policy own on shop.orders to shop_customer
    using (customer_id = (select shop_private.current_customer_id()));

alter table shop.order_items enable row level security;
-- As an array, the ids can be looked up in the index; "exists" would be asked for
-- every line that there is.
create policy own on shop.order_items for select to shop_customer
    using (order_id = any (array(
        select o.id from shop.orders o where o.customer_id = (select shop_private.current_customer_id())
    )));
create policy own_pending on shop.order_items for insert to shop_customer
    with check (exists (
        select from shop.orders o
        where o.id = order_id and o.status = 'pending' and o.customer_id = (select shop_private.current_customer_id())
    ));

alter table shop.reviews enable row level security;
create policy public on shop.reviews for select using (true);
create policy own on shop.reviews to shop_customer
    using (customer_id = (select shop_private.current_customer_id()));

comment on policy own on shop.customers is 'Customers see and change their own row';
comment on policy own on shop.orders is 'Customers see and place their own orders';
comment on policy own on shop.order_items is 'Customers see the lines of their own orders';
comment on policy own_pending on shop.order_items is 'Customers add lines while the order is pending';
comment on policy public on shop.reviews is 'All read all reviews';
comment on policy own on shop.reviews is 'Customers write, change and delete their own reviews';

-- Before PostgreSQL 15 a view reads with its owner's rights, past the policies:
-- there, customers do not get this one.
do $$
begin
    if current_setting('server_version_num')::integer >= 150000 then
        alter view shop.order_totals set (security_invoker = true);
        grant select on shop.order_totals to shop_customer;
    end if;
end
$$;
