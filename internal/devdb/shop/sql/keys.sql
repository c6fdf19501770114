alter table shop.categories
    add primary key using index categories_pkey,
    add unique using index categories_slug_key;
alter table shop.brands
    add primary key using index brands_pkey,
    add unique using index brands_name_key;
alter table shop.products
    add primary key using index products_pkey,
    add unique using index products_sku_key,
    add constraint products_price_check check (price >= 0),
    add constraint products_stock_check check (stock >= 0);
alter table shop.collections
    add primary key using index collections_pkey,
    add unique using index collections_slug_key;
alter table shop.product_collections
    add primary key using index product_collections_pkey;
alter table shop.customers
    add primary key using index customers_pkey,
    add unique using index customers_email_key;
alter table shop.orders
    add primary key using index orders_pkey;
alter table shop.order_items
    add primary key using index order_items_pkey,
    add constraint order_items_quantity_check check (quantity > 0);
alter table shop.reviews
    add primary key using index reviews_pkey,
    add unique using index reviews_product_id_customer_id_key,
    add constraint reviews_rating_check check (rating between 1 and 5);

-- The rows came with ids of their own: the sequences go on after them.
select setval(pg_get_serial_sequence('shop.categories', 'id'), (select max(id) from shop.categories)),
    setval(pg_get_serial_sequence('shop.brands', 'id'), (select max(id) from shop.brands)),
    setval(pg_get_serial_sequence('shop.products', 'id'), (select max(id) from shop.products)),
    setval(pg_get_serial_sequence('shop.collections', 'id'), (select max(id) from shop.collections)),
    setval(pg_get_serial_sequence('shop.customers', 'id'), (select max(id) from shop.customers)),
    setval(pg_get_serial_sequence('shop.orders', 'id'), (select max(id) from shop.orders)),
    setval(pg_get_serial_sequence('shop.reviews', 'id'), (select max(id) from shop.reviews));
