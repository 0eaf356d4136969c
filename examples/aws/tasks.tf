# Two clusters: who may run tasks in that of builds can reach nothing in that of servers.
resource "aws_ecs_cluster" "servers" {
  name = var.name
  setting {
    name  = "containerInsights"
    value = "disabled"
  }
}

resource "aws_ecs_cluster" "builds" {
  name = "${var.name}-builds"
  setting {
    name  = "containerInsights"
    value = "disabled"
  }
}

resource "aws_ecs_cluster_capacity_providers" "builds" {
  cluster_name       = aws_ecs_cluster.builds.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
}

resource "aws_cloudwatch_log_group" "task" {
  for_each          = toset(["control", "edge", "build"])
  name              = "/${var.name}/${each.value}"
  retention_in_days = 30
}

locals {
  # For all servers.
  common = {
    FAIRWAY_DOMAIN       = var.domain
    FAIRWAY_CONTROL_HOST = var.control_host
    FAIRWAY_HTTP_PORT    = "80"
    FAIRWAY_HTTPS_PORT   = "443"
    FAIRWAY_OBJECTS      = "s3://${aws_s3_bucket.sites.id}?region=${var.region}"
    FAIRWAY_LOG_FORMAT   = "json"
    DNS_PROVIDER         = "route53" # by the role of the task
    ACME_EMAIL           = var.acme_email
    AWS_REGION           = var.region
  }
  redis = "${aws_elasticache_replication_group.redis.primary_endpoint_address}:6379"

  servers = {
    control = {
      count  = var.controls
      cpu    = 1024
      memory = 2048
      disk   = 40
      environment = {
        FAIRWAY_ROLE       = "control"
        FAIRWAY_PUBLIC_URL = "https://${var.control_host}"
        FAIRWAY_KEY        = "env:PLATFORM_KEY"
        FAIRWAY_STATE      = "postgres://fairway@${aws_db_instance.state.address}:5432/fairway?password=env:DATABASE_PASSWORD&sslrootcert=/etc/fairway/rds.pem"
        FAIRWAY_LOGS       = "rediss://control@${local.redis}/0?password=env:REDIS_PASSWORD"
        FAIRWAY_BUILDS     = tostring(var.builds)
        FAIRWAY_RUNNER     = "ecs://${aws_ecs_cluster.builds.name}/${aws_ecs_task_definition.build.family}?container=fairway&subnets=${join(",", [for s in aws_subnet.build : s.id])}&security_groups=${aws_security_group.build.id}&launch_type=${var.launch_type}&region=${var.region}"
        FAIRWAY_SIGNUP     = "invite"
      }
      secrets = {
        PLATFORM_KEY      = "${var.secrets.control}:key::"
        DATABASE_PASSWORD = "${var.secrets.control}:database::"
        REDIS_PASSWORD    = var.secrets.redis_control
      }
    }
    edge = {
      count  = var.edges
      cpu    = 1024
      memory = 2048
      disk   = 60
      environment = merge({
        FAIRWAY_ROLE  = "edge"
        FAIRWAY_KEY   = "env:EDGE_KEY"
        FAIRWAY_BELL  = "rediss://edge@${local.redis}/0?password=env:REDIS_PASSWORD"
        FAIRWAY_CACHE = "memory=768MiB disk=40GiB manifests=1GiB"
        }, var.secrets.edge_token == null ? {} : {
        FAIRWAY_CONTROL    = "https://${var.control_host}"
        FAIRWAY_EDGE_TOKEN = "env:EDGE_TOKEN"
      })
      secrets = merge({
        EDGE_KEY       = var.secrets.edge
        REDIS_PASSWORD = var.secrets.redis_edge
      }, var.secrets.edge_token == null ? {} : { EDGE_TOKEN = var.secrets.edge_token })
    }
  }
}

resource "aws_ecs_task_definition" "server" {
  for_each                 = local.servers
  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = each.value.cpu
  memory                   = each.value.memory
  execution_role_arn       = aws_iam_role.execution[each.key].arn
  task_role_arn            = aws_iam_role.task[each.key].arn
  ephemeral_storage {
    size_in_gib = each.value.disk
  }
  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }
  volume { name = "data" }
  volume { name = "tmp" }
  container_definitions = jsonencode([{
    name                   = "fairway"
    image                  = "${aws_ecr_repository.image["server"].repository_url}:${var.image_tag}"
    command                = ["run", "--config", "/etc/fairway/domain.Caddyfile"]
    essential              = true
    user                   = "10001:10001"
    readonlyRootFilesystem = true
    stopTimeout            = 30
    linuxParameters        = { capabilities = { drop = ["ALL"] } }
    systemControls         = [{ namespace = "net.ipv4.ip_unprivileged_port_start", value = "0" }]
    ulimits                = [{ name = "nofile", softLimit = 65536, hardLimit = 65536 }]
    portMappings           = [{ containerPort = 80, protocol = "tcp" }, { containerPort = 443, protocol = "tcp" }]
    mountPoints            = [{ sourceVolume = "data", containerPath = "/data" }, { sourceVolume = "tmp", containerPath = "/tmp" }]
    environment            = [for k, v in merge(local.common, each.value.environment) : { name = k, value = v }]
    secrets                = [for k, v in each.value.secrets : { name = k, valueFrom = v }]
    logConfiguration = {
      logDriver = "awslogs"
      options   = { "awslogs-group" = aws_cloudwatch_log_group.task[each.key].name, "awslogs-region" = var.region, "awslogs-stream-prefix" = "fairway" }
    }
  }])
}

# A build: no task role, no secrets, no command but the image's own. What it needs to know comes with
# the task, by the runner: the control plane's address and a token for this one attempt. No init
# process and no shell before the job: the token would stay in their environment.
resource "aws_ecs_task_definition" "build" {
  family                   = "${var.name}-build"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.build_cpu
  memory                   = var.build_memory
  execution_role_arn       = aws_iam_role.execution["build"].arn
  ephemeral_storage {
    size_in_gib = 30
  }
  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }
  volume { name = "work" }
  volume { name = "tmp" }
  container_definitions = jsonencode([{
    name                   = "fairway"
    image                  = "${aws_ecr_repository.image["builder"].repository_url}:${var.image_tag}"
    essential              = true
    user                   = "10001:10001"
    readonlyRootFilesystem = true
    stopTimeout            = 120 # as long as a Spot machine has
    linuxParameters        = { initProcessEnabled = false, capabilities = { drop = ["ALL"] } }
    ulimits                = [{ name = "nofile", softLimit = 16384, hardLimit = 16384 }, { name = "nproc", softLimit = 4096, hardLimit = 4096 }]
    mountPoints            = [{ sourceVolume = "work", containerPath = "/work" }, { sourceVolume = "tmp", containerPath = "/tmp" }]
    logConfiguration = {
      logDriver = "awslogs"
      options   = { "awslogs-group" = aws_cloudwatch_log_group.task["build"].name, "awslogs-region" = var.region, "awslogs-stream-prefix" = "fairway" }
    }
  }])
}

# --- Load balancers that pass TCP on: TLS ends at Fairway. One for the control host, one for the sites.

resource "aws_lb" "this" {
  for_each                         = local.servers
  name                             = "${var.name}-${each.key}"
  load_balancer_type               = "network"
  internal                         = false
  subnets                          = [for s in aws_subnet.public : s.id]
  enable_cross_zone_load_balancing = true
  enable_deletion_protection       = var.protect
}

locals {
  listeners = merge([for s in keys(local.servers) : { for p in [80, 443] : "${s}-${p}" => { server = s, port = p } }]...)
}

resource "aws_lb_target_group" "this" {
  for_each             = local.listeners
  name                 = "${var.name}-${each.key}"
  vpc_id               = aws_vpc.this.id
  target_type          = "ip"
  protocol             = "TCP"
  port                 = each.value.port
  preserve_client_ip   = "true" # limits count by visitors' addresses
  deregistration_delay = 30
  # 503 until an edge knows the sites; afterwards it serves, whatever else is dead. A control plane is
  # well as soon as it answers: a database that is away is not mended by another task.
  health_check {
    protocol            = "HTTP"
    port                = "80"
    path                = "/.fairway/health"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }
}

resource "aws_lb_listener" "this" {
  for_each          = local.listeners
  load_balancer_arn = aws_lb.this[each.value.server].arn
  port              = each.value.port
  protocol          = "TCP"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[each.key].arn
  }
}

resource "aws_ecs_service" "this" {
  for_each                          = local.servers
  name                              = each.key
  cluster                           = aws_ecs_cluster.servers.id
  task_definition                   = aws_ecs_task_definition.server[each.key].arn
  desired_count                     = each.value.count
  launch_type                       = "FARGATE"
  enable_execute_command            = false
  health_check_grace_period_seconds = 180
  propagate_tags                    = "SERVICE"

  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = [for s in aws_subnet.server : s.id]
    security_groups  = [aws_security_group.server.id]
    assign_public_ip = false
  }

  dynamic "load_balancer" {
    for_each = [80, 443]
    content {
      target_group_arn = aws_lb_target_group.this["${each.key}-${load_balancer.value}"].arn
      container_name   = "fairway"
      container_port   = load_balancer.value
    }
  }

  depends_on = [aws_lb_listener.this, aws_iam_role_policy.execution, aws_iam_role_policy.task]
}
