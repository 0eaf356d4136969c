data "aws_availability_zones" "here" {
  state = "available"
}

locals {
  zones = slice(data.aws_availability_zones.here.names, 0, 2)
  vpc   = "10.20.0.0/16"
  # Four pairs of subnets: load balancers and NAT; servers; stores; builds.
  public = { for i, z in local.zones : z => cidrsubnet(local.vpc, 8, i) }
  server = { for i, z in local.zones : z => cidrsubnet(local.vpc, 8, 10 + i) }
  store  = { for i, z in local.zones : z => cidrsubnet(local.vpc, 8, 20 + i) }
  build  = { for i, z in local.zones : z => cidrsubnet(local.vpc, 8, 30 + i) }
}

resource "aws_vpc" "this" {
  cidr_block           = local.vpc
  enable_dns_hostnames = true
  tags                 = { Name = var.name }
}

# Nobody uses the default group, and it lets nothing through.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "public" {
  for_each          = local.public
  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value
  tags              = { Name = "${var.name}-public-${each.key}" }
}

resource "aws_subnet" "server" {
  for_each          = local.server
  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value
  tags              = { Name = "${var.name}-server-${each.key}" }
}

resource "aws_subnet" "store" {
  for_each          = local.store
  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value
  tags              = { Name = "${var.name}-store-${each.key}" }
}

resource "aws_subnet" "build" {
  for_each          = local.build
  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value
  tags              = { Name = "${var.name}-build-${each.key}" }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.this.id
  }
}

resource "aws_route_table_association" "public" {
  for_each       = aws_subnet.public
  subnet_id      = each.value.id
  route_table_id = aws_route_table.public.id
}

# One NAT gateway, to save money: while its zone is down nothing is built, and certificates wait.
# Sites are served on.
resource "aws_eip" "nat" {
  domain = "vpc"
}

resource "aws_nat_gateway" "this" {
  allocation_id = aws_eip.nat.id
  subnet_id     = aws_subnet.public[local.zones[0]].id
  depends_on    = [aws_internet_gateway.this]
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.this.id
  route {
    cidr_block     = "0.0.0.0/0"
    nat_gateway_id = aws_nat_gateway.this.id
  }
}

resource "aws_route_table_association" "server" {
  for_each       = aws_subnet.server
  subnet_id      = each.value.id
  route_table_id = aws_route_table.private.id
}

resource "aws_route_table_association" "build" {
  for_each       = aws_subnet.build
  subnet_id      = each.value.id
  route_table_id = aws_route_table.private.id
}

# The stores' subnets have no way out: only the VPC's own.
resource "aws_route_table" "store" {
  vpc_id = aws_vpc.this.id
}

resource "aws_route_table_association" "store" {
  for_each       = aws_subnet.store
  subnet_id      = each.value.id
  route_table_id = aws_route_table.store.id
}

# The sites' bytes do not go through the NAT gateway.
resource "aws_vpc_endpoint" "s3" {
  vpc_id          = aws_vpc.this.id
  service_name    = "com.amazonaws.${var.region}.s3"
  route_table_ids = [aws_route_table.private.id]
}

# --- Who may speak to whom. Load balancers pass connections on with the visitor's address.

resource "aws_security_group" "server" {
  name        = "${var.name}-server"
  description = "Control planes and edges"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_ingress_rule" "server" {
  for_each          = toset(["80", "443"])
  security_group_id = aws_security_group.server.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.value)
  to_port           = tonumber(each.value)
}

resource "aws_vpc_security_group_egress_rule" "server" {
  for_each          = { https = [443, "0.0.0.0/0"], postgres = [5432, local.vpc], redis = [6379, local.vpc] }
  security_group_id = aws_security_group.server.id
  cidr_ipv4         = each.value[1]
  ip_protocol       = "tcp"
  from_port         = each.value[0]
  to_port           = each.value[0]
}

resource "aws_security_group" "store" {
  name        = "${var.name}-store"
  description = "PostgreSQL and Redis: for the servers, not for builds"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_ingress_rule" "store" {
  for_each                     = { postgres = 5432, redis = 6379 }
  security_group_id            = aws_security_group.store.id
  referenced_security_group_id = aws_security_group.server.id
  ip_protocol                  = "tcp"
  from_port                    = each.value
  to_port                      = each.value
}

# A build is hostile. It may reach the world over HTTP and HTTPS, where its packages and its control
# plane are, and nothing comes in. The network's own list below keeps it from everything inside.
resource "aws_security_group" "build" {
  name        = "${var.name}-build"
  description = "Builds"
  vpc_id      = aws_vpc.this.id
}

resource "aws_vpc_security_group_egress_rule" "build" {
  for_each          = toset(["80", "443"])
  security_group_id = aws_security_group.build.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.value)
  to_port           = tonumber(each.value)
}

# Security groups only ever allow: this list denies. Lists know no connections, so what answers has
# to be let in again. No list holds back the VPC's resolver or the task's own metadata: a task on
# Fargate has none of a machine, and without a role no keys are there to be asked for.
resource "aws_network_acl" "build" {
  vpc_id     = aws_vpc.this.id
  subnet_ids = [for s in aws_subnet.build : s.id]

  egress {
    rule_no    = 100
    action     = "deny"
    protocol   = "-1"
    cidr_block = local.vpc
    from_port  = 0
    to_port    = 0
  }
  egress {
    rule_no    = 200
    action     = "allow"
    protocol   = "tcp"
    cidr_block = "0.0.0.0/0"
    from_port  = 80
    to_port    = 80
  }
  egress {
    rule_no    = 210
    action     = "allow"
    protocol   = "tcp"
    cidr_block = "0.0.0.0/0"
    from_port  = 443
    to_port    = 443
  }
  ingress {
    rule_no    = 100
    action     = "deny"
    protocol   = "-1"
    cidr_block = local.vpc
    from_port  = 0
    to_port    = 0
  }
  ingress {
    rule_no    = 200
    action     = "allow"
    protocol   = "tcp"
    cidr_block = "0.0.0.0/0"
    from_port  = 1024
    to_port    = 65535
  }
  tags = { Name = "${var.name}-build" }
}
