# --- The bucket: all of the sites. Only servers reach it, and only over TLS.

resource "aws_s3_bucket" "sites" {
  bucket        = var.bucket
  force_destroy = !var.protect
}

resource "aws_s3_bucket_public_access_block" "sites" {
  bucket                  = aws_s3_bucket.sites.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "sites" {
  bucket = aws_s3_bucket.sites.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "sites" {
  bucket = aws_s3_bucket.sites.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

# What was deleted or overwritten by mistake can be had for two weeks.
resource "aws_s3_bucket_versioning" "sites" {
  bucket = aws_s3_bucket.sites.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "sites" {
  bucket = aws_s3_bucket.sites.id
  rule {
    id     = "old-versions"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = 14
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }
  depends_on = [aws_s3_bucket_versioning.sites]
}

resource "aws_s3_bucket_policy" "sites" {
  bucket     = aws_s3_bucket.sites.id
  policy     = data.aws_iam_policy_document.bucket.json
  depends_on = [aws_s3_bucket_public_access_block.sites]
}

data "aws_iam_policy_document" "bucket" {
  statement {
    sid       = "NothingInTheClear"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.sites.arn, "${aws_s3_bucket.sites.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

# --- PostgreSQL: the state. Its password never is in Terraform's state.

ephemeral "aws_secretsmanager_secret_version" "control" {
  secret_id = var.secrets.control
}

resource "aws_db_subnet_group" "this" {
  name       = var.name
  subnet_ids = [for s in aws_subnet.store : s.id]
}

resource "aws_db_instance" "state" {
  identifier                   = var.name
  engine                       = "postgres"
  engine_version               = "17"
  instance_class               = var.database_class
  allocated_storage            = 20
  max_allocated_storage        = 100
  storage_type                 = "gp3"
  storage_encrypted            = true
  db_name                      = "fairway"
  username                     = "fairway"
  password_wo                  = jsondecode(ephemeral.aws_secretsmanager_secret_version.control.secret_string)["database"]
  password_wo_version          = var.database_password_version
  db_subnet_group_name         = aws_db_subnet_group.this.name
  vpc_security_group_ids       = [aws_security_group.store.id]
  publicly_accessible          = false
  multi_az                     = var.database_standby
  backup_retention_period      = 7
  copy_tags_to_snapshot        = true
  auto_minor_version_upgrade   = true
  performance_insights_enabled = false
  deletion_protection          = var.protect
  skip_final_snapshot          = !var.protect
  final_snapshot_identifier    = "${var.name}-final"
}

# --- Redis: wake-ups, and the tails of running logs. Nothing in it is needed for long: one node, no
# backups. The provider has no other way for its two passwords than through Terraform's state: keep
# that where few can read it.

data "aws_secretsmanager_secret_version" "redis" {
  for_each  = { control = var.secrets.redis_control, edge = var.secrets.redis_edge }
  secret_id = each.value
}

resource "aws_elasticache_subnet_group" "this" {
  name       = var.name
  subnet_ids = [for s in aws_subnet.store : s.id]
}

# Every group has to have a user "default": this one may do nothing.
resource "aws_elasticache_user" "default" {
  user_id              = "${var.name}-default"
  user_name            = "default"
  engine               = "redis"
  access_string        = "off -@all"
  no_password_required = true
}

resource "aws_elasticache_user" "control" {
  user_id       = "${var.name}-control"
  user_name     = "control"
  engine        = "redis"
  access_string = "on resetchannels resetkeys &fairway:bell:* ~fairway:log:* -@all +ping +hello +select +publish +psubscribe +punsubscribe +eval +evalsha +xadd +xrange +xrevrange +xtrim +del +expire"
  passwords     = [data.aws_secretsmanager_secret_version.redis["control"].secret_string]
}

resource "aws_elasticache_user" "edge" {
  user_id       = "${var.name}-edge"
  user_name     = "edge"
  engine        = "redis"
  access_string = "on resetchannels resetkeys &fairway:bell:feed -@all +ping +hello +select +subscribe +unsubscribe"
  passwords     = [data.aws_secretsmanager_secret_version.redis["edge"].secret_string]
}

resource "aws_elasticache_user_group" "this" {
  user_group_id = var.name
  engine        = "redis"
  user_ids      = [aws_elasticache_user.default.user_id, aws_elasticache_user.control.user_id, aws_elasticache_user.edge.user_id]
}

resource "aws_elasticache_replication_group" "redis" {
  replication_group_id       = var.name
  description                = "Wake-ups and running logs of ${var.name}"
  engine                     = "redis"
  engine_version             = "7.1"
  node_type                  = var.redis_class
  num_cache_clusters         = 1
  port                       = 6379
  subnet_group_name          = aws_elasticache_subnet_group.this.name
  security_group_ids         = [aws_security_group.store.id]
  at_rest_encryption_enabled = true
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  user_group_ids             = [aws_elasticache_user_group.this.user_group_id]
  snapshot_retention_limit   = 0
  auto_minor_version_upgrade = true
  apply_immediately          = true
}

# --- Images

resource "aws_ecr_repository" "image" {
  for_each             = toset(["server", "builder"])
  name                 = "${var.name}-${each.value}"
  image_tag_mutability = "IMMUTABLE"
  force_delete         = !var.protect
  image_scanning_configuration {
    scan_on_push = true
  }
  encryption_configuration {
    encryption_type = "AES256"
  }
}

resource "aws_ecr_lifecycle_policy" "image" {
  for_each   = aws_ecr_repository.image
  repository = each.value.name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "The newest 20"
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 20 }
      action       = { type = "expire" }
    }]
  })
}
